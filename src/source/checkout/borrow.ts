/**
 * Shares the objects of a mirror with a checkout without a copy. Its `.git` names another object store: the mirror's own,
 * or a directory with hard links to the mirror's packs. The links are for steps without access to the mirrors: such a step
 * can read the packs and not write them, and they stay when the mirror is repacked.
 */
import { chmod, copyFile, link, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../kernel/index.ts";
import { absent, type Mirror, unusable } from "../mirror/mirror.ts";

export type Objects =
  /** Objects in the mirror. */
  | { readonly kind: "borrowed" }
  /** Hard links in a directory of `home`, which no account of steps owns. */
  | { readonly kind: "linked"; readonly home: string }
  /** Objects in the checkout. */
  | { readonly kind: "copied" };

export const borrowed: Objects = { kind: "borrowed" };

/** Prepares the object store of a checkout and returns its path. */
export async function lendObjects(objects: Objects, mirror: Mirror, commit: string | null): Promise<string> {
  if (objects.kind !== "linked") return mirror.objects;
  try {
    await mkdir(objects.home, { recursive: true, mode: 0o700 });
    const store = join(objects.home, String((await readdir(objects.home)).length));
    for (const folder of [store, join(store, "pack"), join(store, "info")]) await readableFolder(folder);
    while (!(await linkPacks(mirror, store)));
    if (commit !== null) await linkLoose(mirror, store, commit);
    return store;
  } catch (error) {
    throw unusable(objects.home, error);
  }
}

/** Links the index last, because git ignores a pack without it. False if the mirror was repacked meanwhile. */
async function linkPacks(mirror: Mirror, store: string): Promise<boolean> {
  const names = (await readdir(join(mirror.objects, "pack"))).filter((name) => name.startsWith("pack-"));
  const isIndex = (name: string) => name.endsWith(".idx");
  for (const name of [...names.filter((one) => !isIndex(one)), ...names.filter(isIndex)])
    if (!(await linkFile(join(mirror.objects, "pack", name), join(store, "pack", name)))) return false;
  return true;
}

/** Links a loose commit, which was made for uncommitted files of a submodule. */
async function linkLoose(mirror: Mirror, store: string, id: string): Promise<void> {
  const folder = id.slice(0, 2);
  const names = (await readdir(join(mirror.objects, folder)).catch(absent)) ?? [];
  if (!names.includes(id.slice(2))) return;
  await readableFolder(join(store, folder));
  await linkFile(join(mirror.objects, folder, id.slice(2)), join(store, folder, id.slice(2)));
}

/** Makes a directory that is readable, regardless of the server's umask, for accounts with access to `home`. */
async function readableFolder(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, 0o755);
}

/** Links a file, or copies it to another disk. False if it no longer exists. */
async function linkFile(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return true;
    if (errorCode(error) === "ENOENT") return false;
    if (errorCode(error) !== "EXDEV" && errorCode(error) !== "EMLINK") throw error;
    await copyFile(from, to);
  }
  await chmod(to, 0o444);
  return true;
}
