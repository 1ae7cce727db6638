/**
 * Each fetch leaves a pack, and git looks into all of them for every object: a mirror of months would be thousands. So
 * those of a mirror that has many are gathered into one. Nothing is judged by what refers to it, as nothing does in a
 * mirror; every object stays. It may run beside everything: a reader that misses a pack which is gone looks again.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Room } from "../deps.ts";
import { absent } from "./mirror.ts";

const staleLockMs = 24 * 3600 * 1000;

export async function tidyMirrors(room: Room, signal: AbortSignal): Promise<void> {
  for (const path of await mirrorsIn(room.directory)) {
    if (signal.aborted) return;
    const packs = join(path, "objects", "pack");
    const count = ((await readdir(packs).catch(absent)) ?? []).filter((name) => name.endsWith(".idx")).length;
    if (count >= room.limits.packs) await gather(room, path, packs, signal);
  }
}

async function gather(room: Room, path: string, packs: string, signal: AbortSignal): Promise<void> {
  // Left by a git that was killed, it would be in the way for good.
  const lock = join(packs, "multi-pack-index.lock");
  const held = await stat(lock).catch(absent);
  if (held !== null && room.clock.now().getTime() - held.mtimeMs > staleLockMs)
    await rm(lock, { force: true });
  for (const verb of [["write"], ["repack", "--batch-size=0"], ["expire"]]) {
    const call = {
      args: ["multi-pack-index", ...verb, "--no-progress"],
      cwd: path,
      env: { GIT_DIR: path },
      limitMs: room.limits.localMs,
      config: "none",
    } as const;
    const { code, stderr } = await room.git.run(call, signal);
    if (code === 0) continue;
    room.log.warn({ mirror: path, stderr }, "the packs of a mirror could not be gathered; it works as it is");
    return;
  }
  room.log.info({ mirror: path }, "gathered the packs of a mirror");
}

/** Those of repositories, and of submodules. */
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
