/**
 * Declared outputs in a workspace. Regular files only; a symbolic link counts where it leads to one inside the
 * workspace, a linked directory is not entered, and nothing is followed out. The answer is sorted by bytes, so that it
 * is the same wherever it is asked.
 */
import { constants, type Dirent } from "node:fs";
import { open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { OutputSpec } from "../../../domain/index.ts";
import { errorCode } from "../../../kernel/index.ts";
import type { FoundOutput } from "../../types.ts";
import { compilePattern, isPattern, literalPrefix, type Pattern } from "./glob.ts";

/** More files than this are no artifact but a mistake. */
export const fileLimit = 100_000;
const maxPath = 1_024;

/** Transitions of a pattern after which everything else of the server has its turn: about 10 ms. */
const stepsPerTurn = 1_000_000;
const defaultMaxSteps = 2_000_000_000;

export interface Finding {
  /** The uid that steps run as, where it is not the server's own. */
  readonly owner?: number;
  readonly signal?: AbortSignal;
  /**
   * Transitions that the patterns of one execution may take together. Default: 2,000 million, about 20 s. A million files
   * take 100 million of an ordinary pattern.
   */
  readonly maxSteps?: number;
  /** Keeps names that a step chose out of messages: in a run with secrets one of them may be a secret's value. */
  readonly hideNames?: boolean;
}

/** @throws the signal's reason on abort */
export async function findOutputs(
  root: string,
  wanted: readonly OutputSpec[],
  finding: Finding = {},
): Promise<readonly FoundOutput[]> {
  const found: FoundOutput[] = [];
  const { maxSteps = defaultMaxSteps, hideNames = false, signal } = finding;
  const effort: Effort = { steps: 0, maxSteps, hideNames, signal };
  for (const output of wanted) found.push(await findOutput(root, output, finding.owner, effort));
  return found;
}

/** The work that patterns have been so far. */
interface Effort {
  steps: number;
  readonly maxSteps: number;
  readonly hideNames: boolean;
  readonly signal: AbortSignal | undefined;
}

async function findOutput(
  root: string,
  output: OutputSpec,
  owner: number | undefined,
  effort: Effort,
): Promise<FoundOutput> {
  const missing = (message: string): FoundOutput => ({
    output,
    kind: "missing",
    reason: "artifact_missing",
    message,
  });
  const there = (files: readonly string[], bundle: boolean): FoundOutput => ({
    ...{ output, kind: "files", root, files, bundle },
    ...(owner === undefined ? {} : { owner }),
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
  if (literal.kind === "outside")
    return missing(`${output.path} is a symbolic link that leads out of the workspace`);
  if (literal.kind === "file") return there([path], false);
  if (literal.kind === "directory") {
    const files = await filesBelow({ realRoot, start: path, real: literal.real, pattern: null }, effort);
    return listed(files, "bundle", `${output.path} is an empty directory`);
  }
  if (literal.kind === "other") return missing(`${output.path} is neither a file nor a directory`);
  if (!isPattern(path))
    return missing(`no file matches ${output.path}; ${await similar(realRoot, path, effort)}`);

  const prefix = literalPrefix(path);
  const base = await lookAt(realRoot, prefix);
  const walk = { realRoot, start: prefix, real: base.real, pattern: compilePattern(path) };
  const files = base.kind === "directory" ? await filesBelow(walk, effort) : [];
  return listed(
    files,
    "by count",
    `no file matches ${output.path}; ${await similar(realRoot, join(prefix, "*"), effort)}`,
  );

  function listed(
    files: readonly string[] | FilesFault,
    bundle: "bundle" | "by count",
    otherwise: string,
  ): FoundOutput {
    if (!isList(files)) return missing(`${output.path} ${files.fault}`);
    if (files.length === 0) return missing(otherwise);
    return there(sortedByBytes(files), bundle === "bundle" || files.length > 1);
  }
}

function sortedByBytes(files: readonly string[]): readonly string[] {
  return files
    .map((file) => ({ file, bytes: Buffer.from(file) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ file }) => file);
}

/** Why a declared path is refused, or null. */
export function pathFault(path: string): string | null {
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path);
  if (path === "" || /^[./]*$/.test(path)) return `the path ${shown} names no file`;
  if (path.length > maxPath)
    return `the path ${shown} has ${path.length} characters; ${maxPath} are the most`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f]/.test(path)) return `the path ${shown} holds a control character`;
  if (path.startsWith("/")) return `the path ${shown} is absolute; it must be relative to the workspace`;
  if (path.split("/").includes(".."))
    return `the path ${shown} leads upwards with ..; it must stay in the workspace`;
  return null;
}

interface Seen {
  readonly kind: "file" | "directory" | "other" | "outside" | "absent";
  /** The path with all symbolic links resolved; empty where it is absent or outside. */
  readonly real: string;
}
interface FilesFault {
  readonly fault: string;
}

async function lookAt(realRoot: string, path: string): Promise<Seen> {
  const real = await realpath(join(realRoot, path)).catch(absent);
  if (real === null) return { kind: "absent", real: "" };
  if (real !== realRoot && !real.startsWith(`${realRoot}/`)) return { kind: "outside", real: "" };
  const info = await stat(real).catch(absent);
  if (info === null) return { kind: "absent", real: "" };
  return { kind: info.isFile() ? "file" : info.isDirectory() ? "directory" : "other", real };
}

interface Walk {
  readonly realRoot: string;
  /** The directory to begin at, as it was declared and resolved. */
  readonly start: string;
  readonly real: string;
  /** Pattern that files must match; null takes all. */
  readonly pattern: Pattern | null;
}

/**
 * Without recursion, so that a deep tree costs no stack. A directory is entered only where something in it can match.
 * @throws the signal's reason on abort
 */
async function filesBelow(walk: Walk, effort: Effort): Promise<readonly string[] | FilesFault> {
  const { realRoot, start, real, pattern } = walk;
  const files: string[] = [];
  const waiting = [start];
  const turn = turns(pattern, effort);
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const lead = directory === "" ? "" : `${directory}/`;
    const progress = pattern?.advance(pattern.start, lead) ?? null;
    if (pattern !== null && progress === null) continue;
    for (const entry of await list(join(real, directory.slice(start.length)))) {
      if (!(await turn())) return { fault: "is too much work to match; write a simpler pattern" };
      const path = `${lead}${entry.name}`;
      if (entry.isDirectory()) waiting.push(path);
      else if (!matches(pattern, progress, entry.name)) continue;
      else if (entry.isFile() || (entry.isSymbolicLink() && (await lookAt(realRoot, path)).kind === "file")) {
        if (path.includes("\ufffd"))
          return {
            fault: `holds a file whose name is not UTF-8${effort.hideNames ? "" : `: ${JSON.stringify(path)}`}`,
          };
        if (files.length >= fileLimit)
          return { fault: `means more than ${fileLimit} files; name fewer, or pack them in the step` };
        files.push(path);
      }
    }
  }
  return files;
}

function matches(pattern: Pattern | null, progress: readonly number[] | null, name: string): boolean {
  if (pattern === null || progress === null) return pattern === null;
  const end = pattern.advance(progress, name);
  return end !== null && pattern.accepts(end);
}

/**
 * Lets everything else of the server have its turn in between; false when the pattern has been enough work.
 * @throws the signal's reason on abort
 */
function turns(pattern: Pattern | null, effort: Effort): () => boolean | Promise<boolean> {
  const before = effort.steps;
  let due = before + stepsPerTurn;
  async function rest(): Promise<boolean> {
    await setImmediate();
    effort.signal?.throwIfAborted();
    return true;
  }
  return () => {
    if (pattern === null) return true;
    effort.steps = before + pattern.steps;
    if (effort.steps >= effort.maxSteps) return false;
    if (effort.steps < due) return true;
    due = effort.steps + stepsPerTurn;
    return rest();
  };
}

/**
 * The entries of a directory that lies at exactly this path. A step may swap a directory for a symbolic link at any
 * time, so the opened directory itself is asked where it is before it is read.
 */
async function list(real: string): Promise<Dirent[]> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const handle = await open(real, flags).catch(absent);
  if (handle === null) return [];
  try {
    const descriptor = `/proc/self/fd/${handle.fd}`;
    if ((await readlink(descriptor)) !== real) return [];
    return (await readdir(descriptor, { withFileTypes: true }).catch(absent)) ?? [];
  } finally {
    await handle.close();
  }
}

/** Describes the nearest directory that exists, with some of its names. */
async function similar(realRoot: string, path: string, { hideNames }: Effort): Promise<string> {
  let directory = dirname(path);
  let seen = await lookAt(realRoot, directory);
  while (directory !== "." && seen.kind !== "directory") {
    directory = dirname(directory);
    seen = await lookAt(realRoot, directory);
  }
  const names = (await list(seen.real))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .filter((name) => name !== ".git/")
    .sort((a, b) => distance(a, basename(path)) - distance(b, basename(path)) || (a < b ? -1 : 1));
  const where = directory === "." ? "the workspace" : `${relative(realRoot, join(realRoot, directory))}/`;
  if (names.length === 0) return `${where} is empty`;
  if (hideNames)
    return `${where} holds ${names.length === 1 ? "one name" : `${names.length} names`}, not shown because the run has secrets`;
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
