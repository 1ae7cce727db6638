/**
 * Starts git from small shells that wait for the next call. Node forks on its main thread, and the larger its memory, the
 * slower; a shell is small. Each shell has its own session, so that git and its children can be ended together.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type Clock, errorCode, errorMessage, Problem, shellQuote, wakeReason } from "../../kernel/index.ts";

const stderrCap = 64 * 1024;
/** Time for a process that git left, such as a credential cache, to close the pipes after the shell's end. */
const pipeGraceMs = 1000;
const killGraceMs = 2000;
/** Maximum number of waiting shells, about 1 MiB each. */
const maxIdle = 4;

/**
 * Reads a mark and a line of shell text in a loop. Prints the mark on both pipes, runs the text, then prints the mark and
 * the exit status on both. `$nl` is a newline in the text. Ignores SIGTERM, to wait for git's end.
 */
const starter = `
trap : TERM
nl='
'
while IFS= read -r mark && IFS= read -r text; do
  printf '%s\\n' "$mark"
  printf '%s\\n' "$mark" >&2
  (eval "$text")
  status=$?
  printf '\\n%s %s\\n' "$mark" "$status"
  printf '\\n%s %s\\n' "$mark" "$status" >&2
done
`;

export interface GitCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Path of a file. */
  readonly stdin: string;
  /** Maximum size of stdout. Git is ended there and `cut` is set. */
  readonly outputCap: number;
}

export interface GitResult {
  /** Exit status, or 128 + n after signal n. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly cut: boolean;
}

export interface GitProcesses extends AsyncDisposable {
  /**
   * Resolves with any exit status: 127 if there is no such program, 126 if it cannot be started. An abort terminates git
   * and its children, and kills them after two seconds.
   * @throws Problem environment: no process can be started
   */
  run(command: GitCommand, signal: AbortSignal): Promise<GitResult>;
}

/** @param environment variables of every command, in addition to its own */
export function createGitProcesses(
  environment: Readonly<Record<string, string>>,
  clock: Clock,
): GitProcesses {
  const idle: ChildProcess[] = [];

  function start(): ChildProcess {
    const options = { cwd: "/", env: environment, detached: true, stdio: "pipe" } as const;
    const shell = spawn("/bin/sh", ["-c", starter, "shipinator-git"], options);
    // The shell may end before it has read everything. Its exit is handled.
    shell.stdin.on("error", () => {});
    shell.on("error", () => {});
    shell.once("exit", () => {
      const place = idle.indexOf(shell);
      if (place >= 0) idle.splice(place, 1);
    });
    return shell;
  }

  function giveBack(shell: ChildProcess): void {
    if (shell.exitCode !== null || shell.signalCode !== null) return;
    if (idle.length < maxIdle) idle.push(shell);
    else shell.stdin?.end();
  }

  const processes: GitProcesses = {
    async run(command, signal) {
      const rested = idle.pop();
      const shell = rested ?? start();
      const over = new AbortController();
      const abort = () => endSession(shell, clock, over.signal);
      signal.addEventListener("abort", abort, { once: true });
      try {
        const result = await collect(shell, command, clock);
        if (signal.aborted) signalSession(shell, "SIGKILL");
        else if (result.alive) giveBack(shell);
        // The waiting shell was killed before this call began, so start another.
        else if (rested !== undefined && !result.begun) return await processes.run(command, signal);
        return result;
      } finally {
        signal.removeEventListener("abort", abort);
        over.abort(wakeReason);
      }
    },
    async [Symbol.asyncDispose]() {
      const ended = idle.map((shell) => new Promise((resolve) => shell.once("exit", resolve)));
      for (const shell of idle) shell.stdin?.end();
      await Promise.all(ended);
    },
  };
  return processes;
}

interface Ending extends GitResult {
  readonly begun: boolean;
  /** The shell is ready for another command. */
  readonly alive: boolean;
}

function collect(shell: ChildProcess, command: GitCommand, clock: Clock): Promise<Ending> {
  const { stdin, stdout, stderr } = shell;
  if (stdin === null || stdout === null || stderr === null) throw new Error("git was started without pipes");
  const mark = randomBytes(16).toString("hex");
  const out = createCatcher(mark, command.outputCap);
  const err = createCatcher(mark, stderrCap);
  return new Promise((resolve, reject) => {
    const closed = new AbortController();
    const finish = (code: number, alive: boolean) => {
      closed.abort(wakeReason);
      stdout.off("data", onOut);
      stderr.off("data", onErr);
      shell.off("error", onError).off("exit", onExit).off("close", onClose);
      const bytes = out.bytes();
      const cut = bytes.length > command.outputCap;
      const { begun } = err;
      resolve({ code, stdout: bytes, stderr: err.bytes().toString("utf8"), cut, begun, alive });
    };
    const look = () => {
      if (out.status !== null && err.status !== null) finish(out.status, true);
    };
    const onOut = (chunk: Buffer) => {
      out.take(chunk);
      if (out.full && out.status === null) signalSession(shell, "SIGKILL");
      look();
    };
    const onErr = (chunk: Buffer) => {
      err.take(chunk);
      look();
    };
    const codeOf = () => shell.exitCode ?? (shell.signalCode === "SIGKILL" ? 137 : 143);
    const onClose = () => finish(out.status ?? codeOf(), false);
    const onError = (error: Error) =>
      reject(
        new Problem("environment", `The server cannot start processes: ${errorMessage(error)}.`, {
          remedy: "Check that /bin/sh exists and that this account may start more processes (ulimit -u).",
          cause: error,
        }),
      );
    const onExit = () => {
      // End git together with its shell.
      signalSession(shell, "SIGKILL");
      void clock.sleep(pipeGraceMs, closed.signal).then(() => {
        if (closed.signal.aborted) return;
        stdout.destroy();
        stderr.destroy();
        onClose();
      });
    };
    stdout.on("data", onOut);
    stderr.on("data", onErr);
    shell.once("error", onError).once("exit", onExit).once("close", onClose);
    stdin.write(`${mark}\n${textOf(command)}\n`);
  });
}

/** Formats a command as one line. A newline within a word becomes the shell's `$nl`. */
function textOf({ program, args, cwd, env, stdin }: GitCommand): string {
  const word = (text: string) => shellQuote(text).replaceAll("\n", `'"$nl"'`);
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${word(value)}; `);
  return `cd ${word(cwd)} && { ${exports.join("")}exec ${[program, ...args].map(word).join(" ")} <${word(stdin)}; }`;
}

interface Catcher {
  /** The first mark has arrived. Earlier bytes are from a process that a previous command left. */
  readonly begun: boolean;
  /** Exit status with the second mark, null before. Later bytes are from a process that git left. */
  readonly status: number | null;
  /** Output exceeds the cap. */
  readonly full: boolean;
  take(chunk: Buffer): void;
  /** Bytes between the marks, little more than the cap. */
  bytes(): Buffer;
}

function createCatcher(mark: string, cap: number): Catcher {
  const [first, second] = [Buffer.from(`${mark}\n`), Buffer.from(`\n${mark} `)];
  const longest = `\n${mark} 255\n`.length;
  const kept: Buffer[] = [];
  let size = 0;
  let begun = false;
  let status: number | null = null;
  /** Last bytes, in which a mark may begin. */
  let open: Buffer = Buffer.alloc(0);

  function keep(bytes: Buffer): void {
    if (size <= cap) kept.push(bytes);
    size += bytes.length;
  }

  function take(chunk: Buffer): void {
    if (status !== null) return;
    const all = Buffer.concat([open, chunk]);
    const at = all.indexOf(begun ? second : first);
    const end = at < 0 || !begun ? -1 : all.indexOf("\n", at + second.length);
    if (!begun && at >= 0) {
      begun = true;
      open = Buffer.alloc(0);
      take(all.subarray(at + first.length));
    } else if (end >= 0) {
      status = Number(all.toString("latin1", at + second.length, end));
      keep(all.subarray(0, at));
    } else {
      const told = at >= 0 ? at : Math.max(0, all.length - longest);
      if (begun) keep(all.subarray(0, told));
      open = all.subarray(told);
    }
  }

  return {
    get begun() {
      return begun;
    },
    get status() {
      return status;
    },
    get full() {
      return size > cap;
    },
    take,
    bytes: () => Buffer.concat(status === null && begun ? [...kept, open] : kept),
  };
}

/** Terminates the session, so that git removes its temporary files, and kills it after a grace period. */
function endSession(shell: ChildProcess, clock: Clock, over: AbortSignal): void {
  signalSession(shell, "SIGTERM");
  void clock.sleep(killGraceMs, over).then(() => {
    if (!over.aborted) signalSession(shell, "SIGKILL");
  });
}

function signalSession(shell: ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  if (shell.pid === undefined) return;
  try {
    // biome-ignore lint/style/noRestrictedGlobals: this reads nothing; ChildProcess.kill cannot reach a whole group.
    process.kill(-shell.pid, name);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}
