/**
 * Ingests complete objects from a private object directory into the mirror. A git that was killed, or met a full disk,
 * leaves nothing in the mirror.
 */
import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { absent, type Mirror, quotePath, unusable } from "./mirror.ts";

/** Environment of a git that writes into `objects` and also reads the objects of the mirror and of `others`. */
export function writesAside(objects: string, mirror: Mirror, others: readonly string[] = []) {
  return {
    GIT_OBJECT_DIRECTORY: objects,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: [mirror.objects, ...others].map(quotePath).join(":"),
  };
}

/** Moves packs and loose objects. They are named by content, so existing ones are equal. */
export async function ingest(objects: string, mirror: Mirror): Promise<void> {
  try {
    const names = await readdir(objects);
    for (const name of names.filter((one) => /^[0-9a-f]{2}$/.test(one)))
      await moveLoose(join(objects, name), join(mirror.objects, name));
    await movePacks(join(objects, "pack"), join(mirror.objects, "pack"));
  } catch (error) {
    throw unusable(mirror.path, error);
  }
}

async function moveLoose(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = (await readdir(from)).filter((name) => !name.startsWith("tmp_"));
  await Promise.all(names.map((name) => rename(join(from, name), join(to, name))));
}

/** Moves the index last, because git ignores a pack without it. */
async function movePacks(from: string, to: string): Promise<void> {
  const names = ((await readdir(from).catch(absent)) ?? []).filter((name) => name.startsWith("pack-"));
  const ordered = [
    ...names.filter((name) => !name.endsWith(".idx")),
    ...names.filter((name) => name.endsWith(".idx")),
  ];
  for (const name of ordered) await rename(join(from, name), join(to, name));
}
