/**
 * Downloads objects by the batch API of Git LFS with its basic transfer. An object is stored under a temporary name until
 * its size and SHA-256 are verified.
 */
import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SourceDeps } from "../deps.ts";
import { type Mirror, privatePlace, unusable } from "../mirror/mirror.ts";
import { eachOf } from "./each-of.ts";
import type { LfsPointer } from "./pointers.ts";
import { missing } from "./problems.ts";
import type { LfsServer } from "./server.ts";
import { openSession } from "./session.ts";

/** Batch size of git-lfs. Servers reject much larger ones. */
const batchSize = 100;

/** Path of an object in a store. */
export const objectIn = (store: string, oid: string) => join(store, oid.slice(0, 2), oid.slice(2, 4), oid);

/**
 * Downloads distinct objects into the store of the mirror.
 * @throws Problem source_refused (the server lacks an object or sends other bytes), source_unavailable
 */
export async function download(
  deps: SourceDeps,
  mirror: Mirror,
  server: LfsServer,
  pointers: readonly LfsPointer[],
  store: string,
  signal?: AbortSignal,
): Promise<void> {
  const session = openSession(deps, server, signal);
  await using place = await privatePlace(mirror);
  for (let at = 0; at < pointers.length; at += batchSize) {
    const batch = pointers.slice(at, at + batchSize);
    const actions = await session.batch(batch);
    await eachOf(batch, async (pointer, stop) => {
      const action = actions.get(pointer.oid);
      if (action === undefined) throw missing(server, pointer, "the server named no download address");
      const aside = join(place.path, pointer.oid);
      await session.download(pointer, action, aside, stop);
      const file = objectIn(store, pointer.oid);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await rename(aside, file);
      } catch (error) {
        throw unusable(file, error);
      }
    });
  }
}
