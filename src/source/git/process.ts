/**
 * Processes that start git. Node forks on its main thread, and the slower the larger it has grown; a small shell does
 * not. So git is started by shells that are kept for the next call, each in a session of its own: git runs alone in it,
 * and the whole family can be ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type Clock, errorCode, errorMessage, Problem, shellQuote, wakeReason } from "../../kernel/index.ts";

const stderrCap = 64 * 1024;
/** A process that git left (say, a credential cache) may keep the pipes open after the shell's end; it gets this long. */
const pipeGraceMs = 1000;
const killGraceMs = 2000;
/** Shells that wait for the next call, about 1 MiB each. */
const mostIdle = 4;

/**
 * Reads a mark and a line of shell text, again and again. Tells the begin on both pipes, by the mark; runs the text;
 * tells the end on both, by the mark and the exit status. `$nl` stands for a newline in the text. It waits for a git that
 * was asked to end.
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
  /** A file. */
  readonly stdin: string;
  /** Bytes of stdout after which it is ended and `cut` is set. */
  readonly outputCap: number;
}

export interface GitResult {
  /** 128 + n when signal n ended it. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly cut: boolean;
}

export interface GitProcesses extends AsyncDisposable {
  /**
   * Resolves whatever the exit status: 127 when there is no such program, 126 when it cannot be started. When aborted,
   * git and what it started are asked to end, and killed after two seconds.
   * @throws Problem environment: no process can be started
   */
  run(command: GitCommand, signal: AbortSignal): Promise<GitResult>;
}

/** @param environment of every command, beside its own */
export function createGitProcesses(
  environment: Readonly<Record<string, string>>,
  clock: Clock,
): GitProcesses {
  const idle: ChildProcess[] = [];

  function start(): ChildProcess {
    const options = { cwd: "/", env: environment, detached: true, stdio: "pipe" } as const;
    const shell = spawn("/bin/sh", ["-c", starter, "shipinator-git"], options);
    // It may end before it has read everything; its end tells the story.
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
    if (idle.length < mostIdle) idle.push(shell);
    else shell.stdin?.end();
  }

  const processes: GitProcesses = {
    async run(command, signal) {
      const rested = idle.pop();
      const shell = rested ?? start();
      const over = new AbortController();
      const abort = () => endFamily(shell, clock, over.signal);
      signal.addEventListener("abort", abort, { once: true });
      try {
        const result = await collect(shell, command, clock);
        if (signal.aborted) signalFamily(shell, "SIGKILL");
        else if (result.alive) giveBack(shell);
        // Whoever killed it where it rested did not mean this call.
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
  /** The shell is ready for more. */
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
      if (out.full && out.status === null) signalFamily(shell, "SIGKILL");
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
        new Problem("environment", `no process can be started: ${errorMessage(error)}`, {
          remedy: "See that there is a /bin/sh, and that this account may start more processes (ulimit -u).",
          cause: error,
        }),
      );
    const onExit = () => {
      // git goes with its shell.
      signalFamily(shell, "SIGKILL");
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

/** One line: a newline within a word is the shell's `$nl`. */
function textOf({ program, args, cwd, env, stdin }: GitCommand): string {
  const word = (text: string) => shellQuote(text).replaceAll("\n", `'"$nl"'`);
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${word(value)}; `);
  return `cd ${word(cwd)} && { ${exports.join("")}exec ${[program, ...args].map(word).join(" ")} <${word(stdin)}; }`;
}

interface Catcher {
  /** The first mark has come. What came before it is of a process that an earlier command left. */
  readonly begun: boolean;
  /** What the shell told with the second mark; null before. What comes after it is of a process that was left. */
  readonly status: number | null;
  /** More came than is kept. */
  readonly full: boolean;
  take(chunk: Buffer): void;
  /** From mark to mark; little more than the cap. */
  bytes(): Buffer;
}

function createCatcher(mark: string, cap: number): Catcher {
  const [first, second] = [Buffer.from(`${mark}\n`), Buffer.from(`\n${mark} `)];
  const longest = `\n${mark} 255\n`.length;
  const kept: Buffer[] = [];
  let size = 0;
  let begun = false;
  let status: number | null = null;
  /** The last that came, too short to tell whether a mark begins in it. */
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

/** SIGTERM lets git remove its temporary files; SIGKILL follows for what does not listen. */
function endFamily(shell: ChildProcess, clock: Clock, over: AbortSignal): void {
  signalFamily(shell, "SIGTERM");
  void clock.sleep(killGraceMs, over).then(() => {
    if (!over.aborted) signalFamily(shell, "SIGKILL");
  });
}

function signalFamily(shell: ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  if (shell.pid === undefined) return;
  try {
    // biome-ignore lint/style/noRestrictedGlobals: this reads nothing; ChildProcess.kill cannot reach a whole group.
    process.kill(-shell.pid, name);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}
