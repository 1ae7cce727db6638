/**
 * Repacks mirrors. Each fetch leaves a pack, and git searches all of them for every object, so a mirror with many packs is
 * repacked into one. Every object stays, because a mirror has no refs to judge by. It may run at any time: a reader that
 * misses a removed pack searches again.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SourceDeps } from "../deps.ts";
import { absent } from "./mirror.ts";

const staleLockMs = 24 * 3600 * 1000;

export async function repackMirrors(deps: SourceDeps, signal: AbortSignal): Promise<void> {
  for (const path of await mirrorsIn(deps.directory)) {
    if (signal.aborted) return;
    const packs = join(path, "objects", "pack");
    const count = ((await readdir(packs).catch(absent)) ?? []).filter((name) => name.endsWith(".idx")).length;
    if (count >= deps.limits.packs) await repackMirror(deps, path, packs, signal);
  }
}

async function repackMirror(
  deps: SourceDeps,
  path: string,
  packs: string,
  signal: AbortSignal,
): Promise<void> {
  // The lock of a killed git would block forever.
  const lock = join(packs, "multi-pack-index.lock");
  const held = await stat(lock).catch(absent);
  if (held !== null && deps.clock.now().getTime() - held.mtimeMs > staleLockMs)
    await rm(lock, { force: true });
  for (const verb of [["write"], ["repack", "--batch-size=0"], ["expire"]]) {
    const call = {
      args: ["multi-pack-index", ...verb, "--no-progress"],
      cwd: path,
      env: { GIT_DIR: path },
      limitMs: deps.limits.localMs,
      config: "none",
    } as const;
    const { code, stderr } = await deps.git.run(call, signal);
    if (code === 0) continue;
    deps.log.warn(
      { mirror: path, stderr },
      "The packs of a mirror could not be repacked; the mirror still works.",
    );
    return;
  }
  deps.log.info({ mirror: path }, "Repacked a mirror.");
}

/** Lists the mirrors of repositories and submodules. */
async function mirrorsIn(directory: string): Promise<readonly string[]> {
  const places = [directory, join(directory, "submodules")];
  const found = await Promise.all(
    places.map(async (place) =>
      ((await readdir(place).catch(absent)) ?? [])
        .filter((name) => name.endsWith(".git"))
        .map((name) => join(place, name)),
    ),
  );
  return found.flat();
}
