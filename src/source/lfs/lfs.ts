/**
 * Puts the files that Git LFS keeps in place of their pointers. Objects are kept with the mirror (lfs/aa/bb/<oid>) and
 * verified whenever they are used; what a store on this machine has is not downloaded. The git of the checkout needs no
 * git-lfs: a filter of its own, a line of shell, makes a file's pointer, so that `git status` compares like with like.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, appendFile, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SourceSpec } from "../../domain/index.ts";
import { errorCode, Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
import { quote } from "../git/url.ts";
import { type Mirror, unusable } from "../mirror/mirror.ts";
import { eachOf } from "./each-of.ts";
import { noteFiles } from "./index-stats.ts";
import { type LfsPointer, pointersOf } from "./pointers.ts";
import { findLfs, type LfsPlaces, openLfs } from "./server.ts";
import { download, objectIn } from "./transfer.ts";

/** A file as old as the index that has its time is one that git looks into, with a filter of its own processes. */
const olderSeconds = 2;

/** Fills the checkout where the spec asks for it; answers a note where it does not and there are pointers. */
export async function lfsOf(
  room: Room,
  mirror: Mirror,
  spec: SourceSpec,
  target: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  if (spec.lfs === true) {
    await checkoutLfs(room, mirror, spec, target, signal);
    return [];
  }
  return lfsNotes((await pointersOf(room, mirror, spec.tree, signal)).length);
}

/** What a person should know where pointers stay what they are. */
function lfsNotes(count: number): readonly string[] {
  if (count === 0) return [];
  const fact = count === 1 ? "1 file is a Git LFS pointer" : `${count} files are Git LFS pointers`;
  return [`${fact}, not the content (lfs: true in the file fetches it)`];
}

/**
 * Fills a checkout that was just written.
 * @throws Problem source_refused (an object is nowhere, or has other bytes), source_unavailable
 */
async function checkoutLfs(
  room: Room,
  mirror: Mirror,
  spec: SourceSpec,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const pointers = await pointersOf(room, mirror, spec.tree, signal);
  if (pointers.length === 0) return;
  const own = join(mirror.path, "lfs");
  const places = await findLfs(room, mirror, spec, signal);
  const stores = [own, ...places.stores];
  const isHere = await Promise.all(pointers.map((pointer) => hasObject(stores, pointer)));
  await obtain(
    room,
    mirror,
    places,
    pointers.filter((_, at) => isHere[at] !== true),
    own,
    signal,
  );
  const spoiled = await fill(room, target, pointers, stores, signal);
  // What was damaged where it lay has been removed there, or is passed over.
  await obtain(room, mirror, places, spoiled, own, signal);
  const [lost] = await fill(room, target, spoiled, [own], signal);
  if (lost !== undefined)
    throw new Problem("storage_failed", `The Git LFS object ${lost.oid} cannot be kept in ${own}`);
  if (await exists(join(target, ".git"))) await settle(target, mirror, pointers);
}

async function hasObject(stores: readonly string[], { oid, size }: LfsPointer): Promise<boolean> {
  for (const store of stores) {
    const found = await stat(objectIn(store, oid)).catch(() => null);
    if (found?.isFile() === true && found.size === size) return true;
  }
  return false;
}

async function obtain(
  room: Room,
  mirror: Mirror,
  { server: address }: LfsPlaces,
  pointers: readonly LfsPointer[],
  store: string,
  signal?: AbortSignal,
): Promise<void> {
  const [first] = pointers;
  if (first === undefined) return;
  if (address === null)
    throw new Problem(
      "source_refused",
      `The Git LFS object ${first.oid} of ${quote(Buffer.from(first.path, "latin1").toString())} is not in the repository's lfs directory, and it has no remote to ask`,
      { remedy: "Fetch it there (git lfs fetch), or name a server: lfs.url in .lfsconfig." },
    );
  const server = await openLfs(room, mirror, address, signal);
  const unique = new Map(pointers.map((pointer) => [pointer.oid, pointer]));
  await download(room, mirror, server, [...unique.values()], store, signal);
}

/** Answers those whose bytes no store has right. */
async function fill(
  room: Room,
  target: string,
  pointers: readonly LfsPointer[],
  stores: readonly string[],
  signal?: AbortSignal,
): Promise<readonly LfsPointer[]> {
  const spoiled: LfsPointer[] = [];
  const time = room.clock.now().getTime() / 1000 - olderSeconds;
  await eachOf(pointers, async (pointer) => {
    signal?.throwIfAborted();
    const file = Buffer.concat([Buffer.from(`${target}/`), Buffer.from(pointer.path, "latin1")]);
    for (const [at, store] of stores.entries()) {
      const object = objectIn(store, pointer.oid);
      const copied = await copyVerified(object, file, pointer, time);
      if (copied === "right") return;
      if (copied === "wrong" && at === 0) await rm(object, { force: true });
    }
    spoiled.push(pointer);
  });
  return spoiled;
}

/** The file is there with its mode, and nobody else has it. */
async function copyVerified(object: string, file: Buffer, { oid, size }: LfsPointer, time: number) {
  const found = await stat(object).catch(() => null);
  if (found?.isFile() !== true) return "absent";
  if (found.size !== size) return "wrong";
  const hash = createHash("sha256");
  try {
    await using output = await open(file, "w");
    for await (const chunk of createReadStream(object)) {
      hash.update(chunk);
      await output.writeFile(chunk);
    }
    await output.utimes(time, time);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "absent";
    throw unusable(file.toString(), error);
  }
  return hash.digest("hex") === oid ? "right" : "wrong";
}

// Not `git lfs`, which the image need not have. Where it is set up, its `filter.lfs.process` comes first. git fills in `%f` and `%%` itself.
const clean = `f() { t=$(mktemp) && cat >"$t" && s=$(sha256sum <"$t" | cut -c1-64) && printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %s\\n' "$s" "$(($(wc -c <"$t")))"; rm -f "$t"; }; f`;

/** For git the files are those of the index: their pointers, as the filter makes them. */
async function settle(target: string, mirror: Mirror, pointers: readonly LfsPointer[]): Promise<void> {
  const gitDirectory = join(target, ".git");
  const attributes = join(gitDirectory, "info", "attributes");
  try {
    await appendFile(join(gitDirectory, "config"), `[filter "lfs"]\n\tclean = ${JSON.stringify(clean)}\n`);
    // Of a working directory's tree all filters are off: a later line is the stronger one.
    const lines = pointers.map(({ path }) => `${patternOf(path)} filter=lfs\n`).join("");
    if (await exists(attributes)) await appendFile(attributes, lines, "latin1");
    await noteFiles(target, pointers, mirror.format);
  } catch (error) {
    throw unusable(gitDirectory, error);
  }
}

/** A path as a pattern of .gitattributes. */
function patternOf(path: string): string {
  const literal = `/${path}`.replace(/[*?[\\]/g, "\\$&");
  return `"${literal.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
