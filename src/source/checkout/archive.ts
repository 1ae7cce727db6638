/** A checkout as one tar, for executors that have no disk in common with the mirrors. */
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { packTar } from "modern-tar/fs";
import type { SourceSpec } from "../../domain/index.ts";
import type { Room } from "../deps.ts";
import { checkout } from "./checkout.ts";

/** What lies longer than this was left by a process that died. */
const forgottenMs = 86_400_000;

/**
 * The tar's bytes: names relative to the workspace, links as links, no owner. Its objects are its own.
 * @throws Problem as `checkout` does, before the first byte
 */
export async function* archive(
  room: Room,
  spec: SourceSpec,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const place = join(room.directory, ".archives");
  await mkdir(place, { recursive: true, mode: 0o700 });
  await removeForgotten(place, room.clock.now().getTime());
  const directory = await mkdtemp(join(place, "tree-"));
  try {
    const target = join(directory, "workspace");
    await checkout(room, spec, target, { kind: "copied" }, signal);
    const tar = packTar(target, {
      concurrency: 1,
      map: (header) => ({ ...header, uid: 0, gid: 0, uname: "", gname: "" }),
    });
    for await (const chunk of tar) {
      signal?.throwIfAborted();
      yield chunk;
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function removeForgotten(place: string, now: number): Promise<void> {
  for (const name of await readdir(place)) {
    const path = join(place, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && now - found.mtimeMs > forgottenMs) await rm(path, { recursive: true, force: true });
  }
}
