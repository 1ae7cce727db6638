/**
 * Compares a working copy with a checkout. .gitattributes can convert line ends and `$Id$`, so files differ from the
 * commit's blobs and are still unchanged. The bytes are compared, because personal configuration (filters, autocrlf) does
 * not apply to a checkout.
 */
import { createHash } from "node:crypto";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceDeps } from "../deps.ts";
import { type Mirror, privatePlace, repositoryConfig, unusable } from "../mirror/mirror.ts";

/** Path (latin1 bytes) and blob of the working copy. */
type Changed = readonly (readonly [path: string, blob: string])[];

/** True if a checkout of the tree `committed` writes exactly the files of the tree `taken`. Both are in the mirror. */
export async function isSameCheckout(
  deps: SourceDeps,
  mirror: Mirror,
  { committed, taken }: { readonly committed: string; readonly taken: string },
  signal?: AbortSignal,
): Promise<boolean> {
  const common = { cwd: mirror.path, limitMs: deps.limits.localMs, config: "none" } as const;
  const args = ["diff-tree", "-r", "-z", committed, taken];
  const call = { ...common, args, env: { GIT_DIR: mirror.path } };
  const changed = parseChanges((await deps.git.expect(call, `the tree ${taken}`, signal)).stdout);
  if (changed === null) return false;
  // A checkout of that tree converts nothing.
  if (await exists(join(mirror.path, "verbatim", committed))) return false;

  await using place = await privatePlace(mirror);
  const files = join(place.path, "files");
  const stdin = join(place.path, "paths");
  try {
    await Promise.all([mkdir(files), mkdir(join(place.path, "refs"))]);
    await Promise.all([
      writeFile(join(place.path, "HEAD"), "ref: refs/heads/none\n"),
      writeFile(join(place.path, "config"), repositoryConfig(mirror.format, "\tbare = false\n")),
      writeFile(stdin, changed.map(([path]) => `${path}\0`).join(""), "latin1"),
    ]);
  } catch (error) {
    throw unusable(place.path, error);
  }
  const env = { GIT_DIR: place.path, GIT_OBJECT_DIRECTORY: mirror.objects, GIT_WORK_TREE: files };
  const own = { ...common, cwd: files, env };
  await deps.git.expect({ ...own, args: ["read-tree", committed] }, `the tree ${committed}`, signal);
  const written = await deps.git.run({ ...own, args: ["checkout-index", "-z", "--stdin"], stdin }, signal);
  if (written.code !== 0) return false;
  for (const [path, blob] of changed) if ((await blobOf(files, path, mirror)) !== blob) return false;
  return true;
}

/** Parses changes. Null if more than file contents differs. Each record is `:mode mode id id M`, then the path. */
function parseChanges(output: Buffer): Changed | null {
  const words = output.toString("latin1").split("\0");
  const changed: [string, string][] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const [, blob] = /^:(?:100644 100644|100755 100755) \S+ (\S+) M$/.exec(words[at] ?? "") ?? [];
    if (blob === undefined) return null;
    changed.push([words[at + 1] ?? "", blob]);
  }
  return changed;
}

async function blobOf(directory: string, path: string, mirror: Mirror): Promise<string> {
  const bytes = await readFile(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, "latin1")]));
  return createHash(mirror.format).update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
