/**
 * Declared outputs in a workspace. Regular files only; a symbolic link counts where it leads to one inside the
 * workspace, a linked directory is not entered, and nothing is followed out. The answer is sorted by bytes, so that it
 * is the same wherever it is asked.
 */
import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import type { OutputSpec } from "../../domain/index.ts";
import { errorCode } from "../../kernel/index.ts";
import type { FoundOutput } from "../types.ts";
import { isPattern, literalPrefix, patternToRegExp } from "./glob.ts";

/** More files than this are no artifact but a mistake. */
export const fileLimit = 100_000;
const longestPath = 1_024;

export async function findOutputs(
  root: string,
  wanted: readonly OutputSpec[],
): Promise<readonly FoundOutput[]> {
  const found: FoundOutput[] = [];
  for (const output of wanted) found.push(await findOutput(root, output));
  return found;
}

async function findOutput(root: string, output: OutputSpec): Promise<FoundOutput> {
  const missing = (message: string): FoundOutput => ({
    output,
    kind: "missing",
    reason: "artifact_missing",
    message,
  });
  if (output.path === null) {
    return output.ref === null
      ? missing("it has neither a path nor a ref")
      : { output, kind: "ref", ref: output.ref };
  }
  const fault = pathFault(output.path);
  if (fault !== null) return missing(fault);
  const path = output.path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
  const realRoot = await realpath(root).catch(absent);
  if (realRoot === null) return missing(`no file matches ${output.path}: the workspace is gone`);

  const literal = await lookAt(realRoot, path);
  if (literal === "outside")
    return missing(`${output.path} is a symbolic link that leads out of the workspace`);
  if (literal === "file") return { output, kind: "files", root, files: [path], bundle: false };
  if (literal === "directory")
    return listed(
      await filesBelow(realRoot, path, () => true),
      "bundle",
      `${output.path} is an empty directory`,
    );
  if (literal === "other") return missing(`${output.path} is neither a file nor a directory`);
  if (!isPattern(path)) return missing(`no file matches ${output.path}; ${await similar(realRoot, path)}`);

  const prefix = literalPrefix(path);
  const base = await lookAt(realRoot, prefix);
  const pattern = patternToRegExp(path);
  const files = base === "directory" ? await filesBelow(realRoot, prefix, (file) => pattern.test(file)) : [];
  return listed(
    files,
    "by count",
    `no file matches ${output.path}; ${await similar(realRoot, join(prefix, "*"))}`,
  );

  function listed(
    files: readonly string[] | FilesFault,
    bundle: "bundle" | "by count",
    otherwise: string,
  ): FoundOutput {
    if (!isList(files)) return missing(`${output.path} ${files.fault}`);
    if (files.length === 0) return missing(otherwise);
    const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return { output, kind: "files", root, files: sorted, bundle: bundle === "bundle" || files.length > 1 };
  }
}

/** Why a declared path is refused, or null. */
export function pathFault(path: string): string | null {
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path);
  if (path === "" || /^[./]*$/.test(path)) return `the path ${shown} names no file`;
  if (path.length > longestPath)
    return `the path ${shown} has ${path.length} characters; ${longestPath} are the most`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f]/.test(path)) return `the path ${shown} holds a control character`;
  if (path.startsWith("/")) return `the path ${shown} is absolute; it must be relative to the workspace`;
  if (path.split("/").includes(".."))
    return `the path ${shown} leads upwards with ..; it must stay in the workspace`;
  return null;
}

type Kind = "file" | "directory" | "other" | "outside" | "absent";
interface FilesFault {
  readonly fault: string;
}

async function lookAt(realRoot: string, path: string): Promise<Kind> {
  const real = await realpath(join(realRoot, path)).catch(absent);
  if (real === null) return "absent";
  if (real !== realRoot && !real.startsWith(`${realRoot}/`)) return "outside";
  const info = await stat(real).catch(absent);
  if (info === null) return "absent";
  return info.isFile() ? "file" : info.isDirectory() ? "directory" : "other";
}

/** Breadth first and without recursion, so that a deep tree costs no stack. */
async function filesBelow(
  realRoot: string,
  start: string,
  wanted: (file: string) => boolean,
): Promise<readonly string[] | FilesFault> {
  const files: string[] = [];
  const waiting = [start];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of await list(join(realRoot, directory))) {
      const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory()) waiting.push(path);
      else if (!wanted(path)) continue;
      else if (entry.isFile() || (entry.isSymbolicLink() && (await lookAt(realRoot, path)) === "file")) {
        if (path.includes("\ufffd"))
          return { fault: `holds a file whose name is not UTF-8: ${JSON.stringify(path)}` };
        if (files.length >= fileLimit)
          return { fault: `means more than ${fileLimit} files; name fewer, or pack them in the step` };
        files.push(path);
      }
    }
  }
  return files;
}

async function list(directory: string): Promise<Dirent[]> {
  return (await readdir(directory, { withFileTypes: true }).catch(absent)) ?? [];
}

/** What is there instead: the nearest directory that exists, and some of what it holds. */
async function similar(realRoot: string, path: string): Promise<string> {
  let directory = dirname(path);
  while (directory !== "." && (await lookAt(realRoot, directory)) !== "directory")
    directory = dirname(directory);
  const names = (await list(join(realRoot, directory)))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .filter((name) => name !== ".git/")
    .sort((a, b) => distance(a, basename(path)) - distance(b, basename(path)) || (a < b ? -1 : 1));
  const where = directory === "." ? "the workspace" : `${relative(realRoot, join(realRoot, directory))}/`;
  if (names.length === 0) return `${where} is empty`;
  return `${where} holds: ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
}

/** Names that share a beginning come first. */
function distance(name: string, wanted: string): number {
  let same = 0;
  while (same < wanted.length && name.charAt(same) === wanted.charAt(same)) same++;
  return -same;
}

/** For `catch`: what is not there, or may not be looked at, is absent. */
function absent(error: unknown): null {
  const code = errorCode(error);
  if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG"].includes(code ?? "")) return null;
  throw error;
}

function isList(files: readonly string[] | FilesFault): files is readonly string[] {
  return Array.isArray(files);
}
