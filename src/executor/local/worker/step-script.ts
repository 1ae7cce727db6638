/**
 * The file that the shim sources twice: for cap, log and log writer (two parameters), and as the step (three) for environment,
 * directory, and the user's shell. A step of another account has its environment in a file of its own, the entry, which
 * the account's shell reads from a descriptor that it inherits: the shim is root's, and what a loader or a library takes
 * from an environment must not reach it. Its first line is a comment that holds what a restarted server must know
 * of the step. Script and environment travel in files because one argument may not be longer than 128 KiB, and a shell
 * reads a file in one gulp, but a FIFO byte by byte.
 */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { errorCode, shellQuote } from "../../../kernel/index.ts";

export interface StepRecord {
  readonly executionId: string;
  /** The worker's directory name. */
  readonly worker: string;
  readonly timeoutSeconds: number;
  readonly graceSeconds: number;
  readonly logFile: string;
}

export interface StepScriptInput {
  readonly record: StepRecord;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Shell, arguments and script, the shell as an absolute path. */
  readonly shell: readonly string[];
  /** Shell that becomes the step's account, and the file with its entry; null for the shim's own account. */
  readonly account: { readonly shell: readonly string[]; readonly entry: string } | null;
  readonly logCapBytes: number;
  /** The log writer's command where secrets are to be masked, but for the cap and the file of what was drained; else empty. */
  readonly writer: readonly string[];
}

/** `exec` refuses a longer `NAME=value` (MAX_ARG_STRLEN, with its NUL). */
export const maxVariable = 131_071;
/** All of environment and arguments together; the kernel takes a quarter of the stack limit, 2 MiB by default. */
export const maxEnvironment = 1_900_000;

/** Names that a POSIX shell keeps for itself and would refuse or rewrite, and those that bash adds where it is `sh`. */
const reserved = {
  posix: ["OPTIND", "PPID", "LINENO"],
  bash: ["UID", "EUID", "BASHOPTS", "BASH_VERSINFO", "SHELLOPTS"],
} as const;

export type SystemShell = "posix" | "bash";

/** Finds out what /bin/sh is, which runs the shim: an assignment to a name that it keeps would end the shim. */
export function systemShell(): SystemShell {
  return realpathSync("/bin/sh").endsWith("/bash") ? "bash" : "posix";
}

/**
 * The parentheses redirect in the child alone: the shell outside would write "Killed" into the user's log when the child
 * dies by a signal.
 */
export function stepScriptText(input: StepScriptInput): string {
  const { account } = input;
  const step =
    account === null
      ? `${exportsOf(input)}(${quoted(input.shell)}) 2>&1`
      : `(exec ${quoted(account.shell)}) 2>&1 <${shellQuote(account.entry)}`;
  return `#${JSON.stringify(input.record)}
case $# in 2) cap=${input.logCapBytes} log=${shellQuote(input.record.logFile)} writer=${shellQuote(quoted(input.writer))}; return ;; esac
cd ${shellQuote(input.directory)} || { echo "#exit nowhere" >>"$2"; exit; }
unset OLDPWD
${step}
${endOfStepScript}`;
}

/** Input of the account's shell, which has no arguments, so `ps` shows neither environment nor command. */
export const entryText = (input: Pick<StepScriptInput, "environment" | "shell">): string =>
  `${exportsOf(input)}exec ${quoted(input.shell)} </dev/null\n`;

const quoted = (words: readonly string[]) => words.map(shellQuote).join(" ");

const exportsOf = ({ environment }: Pick<StepScriptInput, "environment">) =>
  Object.entries(environment)
    .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`)
    .join("");

/** Comes first at the step script's end: a quoted value could hold the like, but then the true one comes after it. */
const endOfStepScript = "#end\n";

export interface StepFile {
  readonly record: StepRecord | null;
  /** Status that the step's side left, or `nowhere`; null while there is no terminated line. */
  readonly exit: string | null;
  /** State of the complete log: `whole`, `capped`, `cut`, `torn`; null before the log writer ended. */
  readonly log: string | null;
}

/** Reads the step script together with what was appended to it. A file that was removed meanwhile holds only the latter. */
export function parseStepFile(text: string): StepFile {
  const end = text.lastIndexOf(`\n${endOfStepScript}`);
  const results = end < 0 ? text : text.slice(end + 1);
  const value = (word: string) => new RegExp(`^#${word} ([a-z0-9]+)\\n`, "m").exec(results)?.[1] ?? null;
  const firstLine = text.slice(1, Math.max(1, text.indexOf("\n")));
  return {
    record: end >= 0 && text.startsWith("#{") ? JSON.parse(firstLine) : null,
    exit: value("exit"),
    log: value("log"),
  };
}

/** Why this environment cannot be handed to a process, or null. */
export function environmentFault(
  environment: Readonly<Record<string, string>>,
  base: number,
  sh: SystemShell,
): string | null {
  const kept = new Set<string>([...reserved.posix, ...(sh === "bash" ? reserved.bash : [])]);
  let total = base;
  for (const [name, value] of Object.entries(environment)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      return `${JSON.stringify(name)} cannot be the name of a variable`;
    if (kept.has(name)) return `the variable ${name} belongs to the shell and cannot be set`;
    if (value.includes("\0")) return `the value of ${name} holds a NUL byte, which no environment can carry`;
    const size = Buffer.byteLength(value) + name.length + 1;
    if (size > maxVariable) {
      return `the value of ${name} has ${Buffer.byteLength(value)} bytes; the kernel takes no more than 128 KiB for one variable`;
    }
    total += size + 9;
  }
  return total > maxEnvironment
    ? `the environment has ${total} bytes in all; the kernel takes no more than about ${maxEnvironment}`
    : null;
}

/** A `findShell` that remembers: a search costs a system call for each directory of PATH, and each step asks the same. */
export function createShellFinder(): typeof findShell {
  const known = new Map<string, string>();
  return (name, path, directory) => {
    const key = `${name}\n${path}`;
    const before = known.get(key);
    if (before !== undefined && isExecutable(before)) return before;
    const found = findShell(name, path, directory);
    if (found?.startsWith(directory) === false) known.set(key, found);
    return found;
  };
}

/** The shell's absolute path, looked up as the step itself would; null when there is none. */
export function findShell(name: string, path: string, directory: string): string | null {
  if (name.includes("/")) {
    const absolute = name.startsWith("/") ? name : `${directory}/${name}`;
    return isExecutable(absolute) ? absolute : null;
  }
  for (const part of path.split(":")) {
    const candidate = `${part === "" ? directory : part}/${name}`;
    if (candidate.startsWith("/") && isExecutable(candidate)) return candidate;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    const code = errorCode(error);
    if (
      code === "ENOENT" ||
      code === "EACCES" ||
      code === "ENOTDIR" ||
      code === "ELOOP" ||
      code === "ENAMETOOLONG"
    )
      return false;
    throw error;
  }
}
