/** Control group hierarchies as this machine mounts them, and the handful of operations on their directories. */
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../../kernel/index.ts";

export interface Hierarchies {
  /** The directory of this process's own group in each hierarchy, null where there is none. */
  readonly unified: string | null;
  readonly freezer: string | null;
  /** Version 1 only; in the unified one a worker's group has its memory files itself, or not. */
  readonly memory: string | null;
}

/** Pure: from the texts of /proc/self/mountinfo and /proc/self/cgroup. */
export function findHierarchies(mountinfo: string, cgroup: string): Hierarchies {
  const mounts = mountinfo.split("\n").flatMap((line) => {
    const [left, right] = line.split(" - ");
    const [, , , root, point] = left?.split(" ") ?? [];
    const [type, , options] = right?.split(" ") ?? [];
    if (root === undefined || point === undefined || (type !== "cgroup" && type !== "cgroup2")) return [];
    return [{ root, point, type, controllers: options?.split(",") ?? [] }];
  });
  const groups = cgroup.split("\n").flatMap((line) => {
    const [id, controllers, ...path] = line.split(":");
    return id === undefined || controllers === undefined
      ? []
      : [{ controllers: controllers.split(","), path: path.join(":"), unified: controllers === "" }];
  });
  const own = (
    mount: (typeof mounts)[number] | undefined,
    group: (typeof groups)[number] | undefined,
  ): string | null => {
    if (mount === undefined || group === undefined || group.path.includes("..")) return null;
    // In a container the mount's root may be the very group that we are in.
    const below =
      mount.root === "/"
        ? group.path
        : group.path.startsWith(mount.root)
          ? group.path.slice(mount.root.length)
          : "";
    return join(mount.point, below).replace(/\/$/, "");
  };
  const versionOne = (controller: string) =>
    own(
      mounts.find((it) => it.type === "cgroup" && it.controllers.includes(controller)),
      groups.find((it) => it.controllers.includes(controller)),
    );
  return {
    unified: own(
      mounts.find((it) => it.type === "cgroup2"),
      groups.find((it) => it.unified),
    ),
    freezer: versionOne("freezer"),
    memory: versionOne("memory"),
  };
}

export function thisHierarchies(): Hierarchies {
  return findHierarchies(
    readFileSync("/proc/self/mountinfo", "utf8"),
    readFileSync("/proc/self/cgroup", "utf8"),
  );
}

/** True when a group with these files can be made below `parent` and processes moved into it. */
export function canMakeGroup(parent: string | null, files: readonly string[]): boolean {
  if (parent === null) return false;
  const probe = join(parent, `shipinator-probe-${crypto.randomUUID()}`);
  try {
    mkdirSync(probe);
  } catch {
    return false; // not allowed or not there: the question was whether it can be made
  }
  try {
    for (const file of [join(parent, "cgroup.procs"), ...files.map((name) => join(probe, name))]) {
      accessSync(file, constants.W_OK);
    }
    return true;
  } catch {
    return false; // no such file (an older kernel) or no right to write it: the same answer
  } finally {
    rmdirSync(probe);
  }
}

/** A group and the groups below it, deepest first. */
export function groupsBelow(group: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(group, { withFileTypes: true }).flatMap((it) =>
      it.isDirectory() ? [it.name] : [],
    );
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENODEV") return [];
    throw error;
  }
  return [...entries.flatMap((name) => groupsBelow(join(group, name))), group];
}

/** The live processes of a group and of those below it. */
export function groupPids(group: string): number[] {
  return groupsBelow(group).flatMap((directory) =>
    (readGroupFile(join(directory, "cgroup.procs")) ?? "").split("\n").filter(Boolean).map(Number),
  );
}

/** Removes a group and those below it. @returns false while something in it still lives. */
export async function removeGroup(group: string): Promise<boolean> {
  for (const directory of groupsBelow(group)) {
    try {
      await rmdir(directory);
    } catch (error) {
      if (errorCode(error) === "EBUSY" || errorCode(error) === "ENOTEMPTY") return false;
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
  return true;
}

/** Null when the group is gone. */
export function readGroupFile(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENODEV") return null;
    throw error;
  }
}
