/** Reads one file of a tree by one git process: its entry in the folder, its size and its bytes. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceSpec } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { explainGit } from "../git/problem.ts";
import { isCommitId } from "../git/ref.ts";
import { quote } from "../git/url.ts";
import { treeGone } from "./fetch.ts";
import { formatOf, mirrorAt, privatePlace, unusable } from "./mirror.ts";

/** Maximum size of a folder's listing, enough for some hundred thousand entries. */
const listingCap = 32 * 1024 * 1024;

export async function readFileAt(
  deps: SourceDeps,
  at: Pick<SourceSpec, "repositoryId" | "tree">,
  path: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Buffer | null> {
  if (!isCommitId(at.tree)) throw treeGone(at.tree);
  const segments = path.split("/");
  if (segments.some((part) => part === "" || part === "." || part === "..") || /[\n\0]/.test(path))
    throw new Problem("source_refused", `${quote(path)} is not a relative path without "." and "..".`);
  const name = segments.at(-1) ?? "";
  const folder = segments.slice(0, -1).join("/");
  const mirror = mirrorAt(deps.directory, at.repositoryId, formatOf(at.tree));

  await using place = await privatePlace(mirror);
  const stdin = join(place.path, "questions");
  const questions = `info ${at.tree}\ncontents ${at.tree}:${folder}\ncontents ${at.tree}:${path}\n`;
  await writeFile(stdin, questions).catch((error: unknown) => {
    throw unusable(stdin, error);
  });
  const result = await deps.git.run(
    {
      args: ["cat-file", "--batch-command"],
      cwd: deps.directory,
      env: { GIT_DIR: mirror.path },
      stdin,
      outputCap: listingCap + maxBytes,
      limitMs: deps.limits.localMs,
      config: "none",
    },
    signal,
  );
  const root = nextRecord(result.stdout, 0, "header");
  if (root === null || root.type === "missing") throw treeGone(at.tree);
  const listing = nextRecord(result.stdout, root.end, "content");
  if (listing === null) throw explainGit(result, `the tree ${at.tree}`);
  if (listing.type !== "tree") return null;
  const mode = modeIn(listing.content, name, at.tree.length / 2);
  if (mode === null) return null;
  if (mode !== "100644" && mode !== "100755") throw notAFile(path, mode);
  const file = nextRecord(result.stdout, listing.end, "content");
  if (file === null || file.type !== "blob")
    throw explainGit(result, `${quote(path)} in the tree ${at.tree}`);
  if (file.size > maxBytes)
    throw new Problem(
      "source_refused",
      `${quote(path)} has ${file.size} bytes; at most ${maxBytes} are accepted.`,
      {
        place: path,
      },
    );
  if (file.content.length < file.size) throw explainGit(result, `${quote(path)} in the tree ${at.tree}`);
  return Buffer.from(file.content);
}

interface CatFileRecord {
  readonly type: string;
  readonly size: number;
  readonly content: Buffer;
  readonly end: number;
}

/** Parses `<id> <type> <size>\n`, with `contents` followed by that many bytes and a newline; or `<name> missing\n`. */
function nextRecord(output: Buffer, start: number, form: "header" | "content"): CatFileRecord | null {
  const lineEnd = output.indexOf(0x0a, start);
  if (lineEnd < 0) return null;
  const [size = "", type = ""] = output.subarray(start, lineEnd).toString("latin1").split(" ").reverse();
  if (!/^\d+$/.test(size)) return { type: "missing", size: 0, content: Buffer.alloc(0), end: lineEnd + 1 };
  const from = lineEnd + 1;
  const to = from + (form === "content" ? Number(size) : 0);
  return {
    type,
    size: Number(size),
    content: output.subarray(from, to),
    end: form === "content" ? to + 1 : from,
  };
}

/** Finds the mode of a name in a tree object, a sequence of `<mode> <name>\0<id>`. */
function modeIn(tree: Buffer, name: string, idBytes: number): string | null {
  const wanted = Buffer.from(name);
  let at = 0;
  while (at < tree.length) {
    const space = tree.indexOf(0x20, at);
    const zero = tree.indexOf(0x00, space);
    if (space < 0 || zero < 0) return null;
    if (tree.subarray(space + 1, zero).equals(wanted)) return tree.subarray(at, space).toString("latin1");
    at = zero + 1 + idBytes;
  }
  return null;
}

function notAFile(path: string, mode: string): Problem {
  const is =
    mode === "120000" ? "a symlink, which is not followed" : mode === "40000" ? "a directory" : "a submodule";
  return new Problem("source_refused", `${quote(path)} is ${is}; a regular file is needed there.`, {
    place: path,
  });
}
