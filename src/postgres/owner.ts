/**
 * Which machine or container has the data directory. Postgres' own lock file knows processes only, and a process of
 * another machine looks dead from here; so every process that uses the directory renews `owner.json`, and one that
 * finds a fresh mark of another place is refused.
 */
import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { type Clock, errorCode, type Logger, Problem } from "../kernel/index.ts";
import { orUnusable } from "./layout.ts";

export const HEARTBEAT_MS = 10_000;
const STALE_MS = 30_000;
/** The pid namespace of a machine itself, on every Linux; containers have others. */
const MACHINE_NAMESPACE = "pid:[4026531836]";

interface Place {
  readonly hostname: string;
  /** Empty where the platform has none. */
  readonly machine_id: string;
  readonly boot_id: string;
  readonly pid_namespace: string;
}

interface Mark extends Place {
  readonly postgres_major: string;
  /** RFC 3339. */
  readonly heartbeat: string;
}

export interface Owner {
  /** Marks the directory as ours. Problem `data_dir_unusable` when another place has it. */
  claim(): void;
  /** Renews the mark; false when another place has taken the directory in the meantime. */
  renew(): boolean;
  /** Takes the mark away: the last process here has left. */
  release(): void;
}

export function createOwner(file: string, deps: { major: string; clock: Clock; log: Logger }): Owner {
  const here = whereAmI();

  const write = (place: (draft: string) => void) => {
    const mark: Mark = { ...here, postgres_major: deps.major, heartbeat: deps.clock.now().toISOString() };
    const draft = `${file}.${randomBytes(6).toString("hex")}`;
    try {
      writeFileSync(draft, `${JSON.stringify(mark, undefined, 2)}\n`, { flag: "wx", mode: 0o600 });
      place(draft);
    } finally {
      rmSync(draft, { force: true });
    }
  };

  const claimFree = (): boolean => {
    try {
      write((draft) => linkSync(draft, file));
      return true;
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      // No hard links here (some network and FUSE file systems): the rename is one step too, only not exclusive.
      if (errorCode(error) !== "EPERM" && errorCode(error) !== "ENOTSUP") throw error;
      write((draft) => renameSync(draft, file));
      return true;
    }
  };

  return {
    claim() {
      orUnusable(file, () => {
        const mark = read(file);
        if (mark === undefined && claimFree()) return;
        const found = mark ?? read(file);
        if (found !== undefined && found !== "broken") refuse(found, here, file, deps);
        write((draft) => renameSync(draft, file));
      });
    },
    renew() {
      const mark = read(file);
      if (mark !== undefined && mark !== "broken" && !samePlace(mark, here)) return false;
      write((draft) => renameSync(draft, file));
      return true;
    },
    release: () => rmSync(file, { force: true }),
  };
}

function refuse(mark: Mark, here: Place, file: string, deps: { clock: Clock; log: Logger }): void {
  if (samePlace(mark, here)) return;
  if (sameMachineRestarted(mark, here)) return;
  const age = deps.clock.now().getTime() - Date.parse(mark.heartbeat);
  const who =
    mark.hostname === here.hostname ? "another container or boot of this machine" : `"${mark.hostname}"`;
  if (age >= STALE_MS) {
    deps.log.warn(
      { heartbeat: mark.heartbeat },
      `taking the data directory over from ${who}, silent for too long`,
    );
    return;
  }
  throw new Problem(
    "data_dir_unusable",
    `The data directory is in use by ${who} (last sign of life ${mark.heartbeat}), and two servers on one database ` +
      "would destroy it. Nothing was started.",
    {
      place: file,
      remedy:
        "Stop the other one, or give this one a directory of its own with SHIPINATOR_DATA_DIR; " +
        `when the other one is gone for certain, try again ${STALE_MS / 1000} seconds after its last sign of life.`,
    },
  );
}

/** Broken means that a crash left it empty or half written; whoever wrote it did not get to start anything. */
function read(file: string): Mark | "broken" | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    return isMark(value) ? value : "broken";
  } catch {
    return "broken";
  }
}

function isMark(value: unknown): value is Mark {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map(Object.entries(value));
  const names = ["hostname", "machine_id", "boot_id", "pid_namespace", "heartbeat"];
  return (
    names.every((name) => typeof fields.get(name) === "string") &&
    !Number.isNaN(Date.parse(fields.get("heartbeat")))
  );
}

function samePlace(mark: Place, here: Place): boolean {
  if (mark.boot_id === "" || here.boot_id === "") return mark.hostname === here.hostname;
  return mark.boot_id === here.boot_id && mark.pid_namespace === here.pid_namespace;
}

/** After a reboot nothing of the boot before lives. Only for machines: containers may share a made-up machine id. */
function sameMachineRestarted(mark: Place, here: Place): boolean {
  return (
    here.machine_id !== "" &&
    mark.machine_id === here.machine_id &&
    mark.hostname === here.hostname &&
    mark.boot_id !== here.boot_id &&
    mark.pid_namespace === MACHINE_NAMESPACE &&
    here.pid_namespace === MACHINE_NAMESPACE
  );
}

function whereAmI(): Place {
  return {
    hostname: hostname(),
    machine_id: orEmpty(() => readFileSync("/etc/machine-id", "utf8")),
    boot_id: orEmpty(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")),
    pid_namespace: orEmpty(() => readlinkSync("/proc/self/ns/pid")),
  };
}

/** Not every platform and container has each of these files; what is absent is not compared. */
function orEmpty(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return "";
  }
}
