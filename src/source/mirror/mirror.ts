/**
 * Mirror: a bare repository with the objects of runs. Besides git's own files it has:
 *   commits/<id>        record of a commit and its history (see commit-record.ts), written last, as the proof
 *   tags/<digest>       tags that point into the history of commits
 *   verbatim/<tree>     a tree with the exact bytes of a working copy, so a checkout converts nothing
 *   addresses/<tree>    addresses of its submodules (see submodule-addresses.ts)
 *   worktrees/<hash>    name of the folder with index and paths of a working copy (see stat-cache.ts)
 *   tmp/<random>        private git directories of fetches and private indexes, removed after use
 * Writers share no locks: objects are named by content, and everything else is written to a temporary file and renamed. So
 * leftovers of a killed process can neither block nor mislead the next one.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, errorCode, errorMessage, Problem } from "../../kernel/index.ts";

const staleMs = 24 * 3600 * 1000;

export interface Mirror {
  readonly path: string;
  readonly objects: string;
  readonly format: ObjectFormat;
}

export type ObjectFormat = "sha1" | "sha256";

export function formatOf(id: string): ObjectFormat {
  return id.length === 64 ? "sha256" : "sha1";
}

/** Mirror of a repository. Each hash function has its own, because an object store has only one. */
export function mirrorAt(directory: string, name: string, format: ObjectFormat): Mirror {
  const path = join(directory, format === "sha1" ? `${name}.git` : `${name}.sha256.git`);
  return { path, objects: join(path, "objects"), format };
}

/** Configuration of a mirror, and of the `.git` of a checkout. */
export function repositoryConfig(format: ObjectFormat, rest: string): string {
  const version = format === "sha1" ? "0" : "1";
  const extension = format === "sha1" ? "" : "[extensions]\n\tobjectformat = sha256\n";
  return `[core]\n\trepositoryformatversion = ${version}\n\tfilemode = true\n${rest}${extension}`;
}

/** Attributes that override a tree's own, so that blobs are never converted. */
export const verbatimAttributes = "* -text -filter -ident -working-tree-encoding\n";

/** Opens a mirror and creates missing parts. */
export async function openMirror(mirror: Mirror, clock: Clock): Promise<void> {
  try {
    await makeMirror(mirror);
  } catch (error) {
    if (errorCode(error) !== "ENOTDIR" && errorCode(error) !== "EEXIST") throw unusable(mirror.path, error);
    await setAside(mirror);
    await makeMirror(mirror).catch((again: unknown) => {
      throw unusable(mirror.path, again);
    });
  }
  await removeStale(mirror, clock);
}

async function makeMirror(mirror: Mirror): Promise<void> {
  const folders = [
    "objects/pack",
    "objects/info",
    "refs",
    "info",
    "commits",
    "tags",
    "verbatim",
    "addresses",
    "worktrees",
    "tmp",
  ];
  // List twice instead of making eight directories, because they nearly always exist.
  const present = await Promise.all(
    ["", "objects/"].map(async (inside) =>
      (await foldersIn(join(mirror.path, inside))).map((name) => `${inside}${name}`),
    ),
  );
  const missing = folders.filter((name) => !present.flat().includes(name));
  await Promise.all(missing.map((name) => mkdir(join(mirror.path, name), { recursive: true, mode: 0o700 })));
  await Promise.all([
    fill(join(mirror.path, "HEAD"), "ref: refs/heads/none\n"),
    fill(join(mirror.path, "config"), repositoryConfig(mirror.format, "\tbare = true\n")),
    fill(join(mirror.path, "info", "attributes"), verbatimAttributes),
  ]);
}

async function foldersIn(directory: string): Promise<readonly string[]> {
  const entries = (await readdir(directory, { withFileTypes: true }).catch(absent)) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function fill(file: string, content: string): Promise<void> {
  const present = await readFile(file, "utf8").catch(absent);
  if (present !== content) await writeAside(file, content);
}

/** Writes a temporary file and renames it, so that readers see the old or the new file. */
export async function writeAside(file: string, content: string | Buffer): Promise<void> {
  const aside = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(aside, content, { mode: 0o600 });
  await rename(aside, file);
}

/** Renames a broken mirror, which stays for inspection, so that a new one can be made. */
export async function setAside(mirror: Mirror): Promise<void> {
  const broken = `${mirror.path}.broken-${randomBytes(4).toString("hex")}`;
  await rename(mirror.path, broken).catch((error: unknown) => {
    if (errorCode(error) !== "ENOENT") throw unusable(mirror.path, error);
  });
}

/** Private directory for one operation, removed when the scope ends. */
export async function privatePlace(mirror: Mirror): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = join(mirror.path, "tmp", randomBytes(8).toString("hex"));
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw unusable(path, error);
  });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Removes leftovers of killed processes: private directories and partial packs older than a day. */
async function removeStale(mirror: Mirror, clock: Clock): Promise<void> {
  const oldest = clock.now().getTime() - staleMs;
  const places: readonly (readonly [folder: string, stale: RegExp])[] = [
    [join(mirror.path, "tmp"), /./],
    [join(mirror.path, "worktrees"), /-/],
    [join(mirror.objects, "pack"), /^(?:tmp_|\.tmp-)/],
  ];
  for (const [folder, stale] of places) {
    const names = (await readdir(folder)).filter((name) => stale.test(name));
    for (const name of names) {
      const found = await stat(join(folder, name)).catch(absent);
      if (found !== null && found.mtimeMs < oldest)
        await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** Quotes a path for info/alternates and GIT_*_OBJECT_DIRECTORIES, which use lines and colons as separators. */
export function quotePath(path: string): string {
  if (!/[\n:"\\#]/.test(path)) return path;
  return `"${path.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}

/** Handler for `.catch` after a read. Returns null if the file is absent and rethrows any other error. */
export function absent(error: unknown): null {
  if (errorCode(error) === "ENOENT") return null;
  throw error;
}

export function unusable(path: string, error: unknown): Problem {
  if (error instanceof Problem) return error;
  const full = errorCode(error) === "ENOSPC" || errorCode(error) === "EDQUOT";
  return new Problem(
    full ? "storage_failed" : "data_dir_unusable",
    `Shipinator cannot write its copy of the repository at ${path}: ${errorMessage(error)}.`,
    {
      remedy: full
        ? "Free some space and try again."
        : "Check the owner and permissions of the data directory.",
      cause: error,
    },
  );
}
