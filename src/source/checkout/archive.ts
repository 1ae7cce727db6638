/** Streams a checkout as a tar, for executors without access to the mirrors. */
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { packTar } from "modern-tar/fs";
import type { SourceSpec } from "../../domain/index.ts";
import type { SourceDeps } from "../deps.ts";
import { checkout } from "./checkout.ts";

/** Age from which a directory is a leftover of a killed process. */
const staleMs = 86_400_000;

/**
 * Streams the tar: names relative to the workspace, links as links, no owner, with its own copy of the objects.
 * @throws Problem as `checkout` does, before the first byte
 */
export async function* archive(
  deps: SourceDeps,
  spec: SourceSpec,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const place = join(deps.directory, ".archives");
  await mkdir(place, { recursive: true, mode: 0o700 });
  await removeStale(place, deps.clock.now().getTime());
  const directory = await mkdtemp(join(place, "tree-"));
  try {
    const target = join(directory, "workspace");
    await checkout(deps, spec, target, { kind: "copied" }, signal);
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

async function removeStale(place: string, now: number): Promise<void> {
  for (const name of await readdir(place)) {
    const path = join(place, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && now - found.mtimeMs > staleMs) await rm(path, { recursive: true, force: true });
  }
}
