/**
 * Replaces pointers of Git LFS by their files. The mirror stores the objects (lfs/aa/bb/<oid>), which are verified at each
 * use. Objects of a store on this machine are not downloaded. The checkout does not need git-lfs: its own filter, a line
 * of shell, makes the pointer of a file, so that `git status` works.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, appendFile, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SourceSpec } from "../../domain/index.ts";
import { errorCode, Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { quote } from "../git/url.ts";
import { type Mirror, unusable } from "../mirror/mirror.ts";
import { eachOf } from "./each-of.ts";
import { noteFiles } from "./index-stats.ts";
import { type LfsPointer, pointersOf } from "./pointers.ts";
import { findLfs, type LfsPlaces, openLfs } from "./server.ts";
import { download, objectIn } from "./transfer.ts";

/** Age of the files. git runs its filter on a file that is as new as the index. */
const olderSeconds = 2;

/** Fills the checkout if the spec asks for it. Otherwise returns a note if there are pointers. */
export async function lfsOf(
  deps: SourceDeps,
  mirror: Mirror,
  spec: SourceSpec,
  target: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  if (spec.lfs === true) {
    await checkoutLfs(deps, mirror, spec, target, signal);
    return [];
  }
  return lfsNotes((await pointersOf(deps, mirror, spec.tree, signal)).length);
}

/** Note for the user about pointers that stay. */
function lfsNotes(count: number): readonly string[] {
  if (count === 0) return [];
  const fact = count === 1 ? "1 file is a Git LFS pointer" : `${count} files are Git LFS pointers`;
  return [`${fact}, not the content (lfs: true in the file fetches it)`];
}

/**
 * Fills a checkout that was just written.
 * @throws Problem source_refused (an object is missing or has other bytes), source_unavailable
 */
async function checkoutLfs(
  deps: SourceDeps,
  mirror: Mirror,
  spec: SourceSpec,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const pointers = await pointersOf(deps, mirror, spec.tree, signal);
  if (pointers.length === 0) return;
  const own = join(mirror.path, "lfs");
  const places = await findLfs(deps, mirror, spec, signal);
  const stores = [own, ...places.stores];
  const isHere = await Promise.all(pointers.map((pointer) => hasObject(stores, pointer)));
  await obtain(
    deps,
    mirror,
    places,
    pointers.filter((_, at) => isHere[at] !== true),
    own,
    signal,
  );
  const spoiled = await fill(deps, target, pointers, stores, signal);
  // Damaged objects were removed from the mirror's store. Download them.
  await obtain(deps, mirror, places, spoiled, own, signal);
  const [lost] = await fill(deps, target, spoiled, [own], signal);
  if (lost !== undefined)
    throw new Problem("storage_failed", `The Git LFS object ${lost.oid} cannot be stored in ${own}.`);
  if (await exists(join(target, ".git"))) await configureFilter(target, mirror, pointers);
}

async function hasObject(stores: readonly string[], { oid, size }: LfsPointer): Promise<boolean> {
  for (const store of stores) {
    const found = await stat(objectIn(store, oid)).catch(() => null);
    if (found?.isFile() === true && found.size === size) return true;
  }
  return false;
}

async function obtain(
  deps: SourceDeps,
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
      `The Git LFS object ${first.oid} of ${quote(Buffer.from(first.path, "latin1").toString())} is not in the repository's lfs directory, and the repository has no remote.`,
      { remedy: "Fetch it there (git lfs fetch), or name a server: lfs.url in .lfsconfig." },
    );
  const server = await openLfs(deps, mirror, address, signal);
  const unique = new Map(pointers.map((pointer) => [pointer.oid, pointer]));
  await download(deps, mirror, server, [...unique.values()], store, signal);
}

/** Writes the files and returns the pointers that no store has correctly. */
async function fill(
  deps: SourceDeps,
  target: string,
  pointers: readonly LfsPointer[],
  stores: readonly string[],
  signal?: AbortSignal,
): Promise<readonly LfsPointer[]> {
  const spoiled: LfsPointer[] = [];
  const time = deps.clock.now().getTime() / 1000 - olderSeconds;
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

/** Copies an object over its pointer's file, which keeps its mode, and verifies it. */
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

// Does not use `git lfs`, which an image may lack. If it is set up, its `filter.lfs.process` has priority. The text has no `%`
// sequence that git replaces.
const clean = `f() { t=$(mktemp) && cat >"$t" && s=$(sha256sum <"$t" | cut -c1-64) && printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %s\\n' "$s" "$(($(wc -c <"$t")))"; rm -f "$t"; }; f`;

/** Configures the filter and updates the index, so that git sees the files as unchanged. */
async function configureFilter(
  target: string,
  mirror: Mirror,
  pointers: readonly LfsPointer[],
): Promise<void> {
  const gitDirectory = join(target, ".git");
  const attributes = join(gitDirectory, "info", "attributes");
  try {
    await appendFile(join(gitDirectory, "config"), `[filter "lfs"]\n\tclean = ${JSON.stringify(clean)}\n`);
    // The attributes of a working copy's tree disable all filters. A later line overrides them.
    const lines = pointers.map(({ path }) => `${patternOf(path)} filter=lfs\n`).join("");
    if (await exists(attributes)) await appendFile(attributes, lines, "latin1");
    await noteFiles(target, pointers, mirror.format);
  } catch (error) {
    throw unusable(gitDirectory, error);
  }
}

/** Pattern of .gitattributes for a path. */
function patternOf(path: string): string {
  const literal = `/${path}`.replace(/[*?[\\]/g, "\\$&");
  return `"${literal.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
