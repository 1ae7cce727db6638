/**
 * How a checkout comes to the objects of a mirror without a copy. Its `.git` names another object store: the mirror's
 * own, or one beside the checkout that holds second names of the mirror's packs. The second is for steps that may not
 * look into the mirrors: the packs stay the mirror's files, which such a step can read and not write, and they stay when
 * the mirror gathers its own.
 */
import { chmod, copyFile, link, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../kernel/index.ts";
import { absent, type Mirror, unusable } from "../mirror/mirror.ts";

export type Objects =
  /** In the mirror. */
  | { readonly kind: "borrowed" }
  /** In a directory of `home`, which is nobody's who runs steps. */
  | { readonly kind: "linked"; readonly home: string }
  /** In the checkout. */
  | { readonly kind: "copied" };

export const borrowed: Objects = { kind: "borrowed" };

/** The object store that a checkout names. */
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

/** The index last: a pack without it is not looked at. False where packs were gathered meanwhile. */
async function linkPacks(mirror: Mirror, store: string): Promise<boolean> {
  const names = (await readdir(join(mirror.objects, "pack"))).filter((name) => name.startsWith("pack-"));
  const isIndex = (name: string) => name.endsWith(".idx");
  for (const name of [...names.filter((one) => !isIndex(one)), ...names.filter(isIndex)])
    if (!(await secondName(join(mirror.objects, "pack", name), join(store, "pack", name)))) return false;
  return true;
}

/** A commit that was made for a submodule's uncommitted files is in no pack. */
async function linkLoose(mirror: Mirror, store: string, id: string): Promise<void> {
  const folder = id.slice(0, 2);
  const names = (await readdir(join(mirror.objects, folder)).catch(absent)) ?? [];
  if (!names.includes(id.slice(2))) return;
  await readableFolder(join(store, folder));
  await secondName(join(mirror.objects, folder, id.slice(2)), join(store, folder, id.slice(2)));
}

/** Whatever the server's umask is: who may enter `home` may read what is in it. */
async function readableFolder(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, 0o755);
}

/** A copy, where the two are on different disks. */
async function secondName(from: string, to: string): Promise<boolean> {
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
