/**
 * Downloads objects by the batch API of Git LFS with its basic transfer. An object is believed when its size and SHA-256
 * are right; until then it lies aside, under a name that nobody looks for.
 */
import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Room } from "../deps.ts";
import { type Mirror, privatePlace, unusable } from "../mirror/mirror.ts";
import { eachOf } from "./each-of.ts";
import type { LfsPointer } from "./pointers.ts";
import { missing } from "./problems.ts";
import type { LfsServer } from "./server.ts";
import { openSession } from "./session.ts";

/** As git-lfs asks; servers refuse many more. */
const batchSize = 100;

/** Where an object lies in a store. */
export const objectIn = (store: string, oid: string) => join(store, oid.slice(0, 2), oid.slice(2, 4), oid);

/**
 * Puts objects, each named once, into the store of the mirror.
 * @throws Problem source_refused (the server does not have one, or gives other bytes), source_unavailable
 */
export async function download(
  room: Room,
  mirror: Mirror,
  server: LfsServer,
  pointers: readonly LfsPointer[],
  store: string,
  signal?: AbortSignal,
): Promise<void> {
  const session = openSession(room, server, signal);
  await using place = await privatePlace(mirror);
  for (let at = 0; at < pointers.length; at += batchSize) {
    const batch = pointers.slice(at, at + batchSize);
    const actions = await session.batch(batch);
    await eachOf(batch, async (pointer, stop) => {
      const action = actions.get(pointer.oid);
      if (action === undefined) throw missing(server, pointer, "no place to download it from was named");
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
