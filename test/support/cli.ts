/** The real command line as processes, in a world of its own: a home, a data directory, repositories. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RunDetail } from "../../src/services/index.ts";
import { eventually } from "./eventually.ts";
import { createExternalDatabase, type ExternalDatabase } from "./external-database.ts";
import { type FoundProcess, processesOf } from "./world-processes.ts";

const launcher = fileURLToPath(new URL("../../src/launch.js", import.meta.url));
const checkout = dirname(dirname(launcher));

export interface Answer {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What it wrote to both, in that order. */
  readonly output: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** All of standard input; null leaves it open. */
  readonly input?: string | Uint8Array | null;
  /** Where standard output goes instead: a descriptor. */
  readonly stdout?: number;
  /** Another `launch.js` than the checkout's. */
  readonly launcher?: string;
  readonly as?: { readonly uid: number; readonly gid: number };
}

export interface RunAnswer {
  readonly code: number | null;
  readonly run: RunDetail;
  /** What a person sees of it. */
  readonly view: string;
  /** The lines of `stage/step` in the view. */
  log(step: string): string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Answer>;
  /** Resolves when stdout and stderr together match; rejects when it has ended without. */
  said(pattern: RegExp): Promise<void>;
}

export type Files = Readonly<Record<string, string>>;

export class World implements AsyncDisposable {
  /** Everybody may pass through: as root, the database runs under another account. */
  readonly root: string;
  readonly home: string;
  readonly dataDir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly #database: ExternalDatabase | null;

  constructor() {
    this.#database = createExternalDatabase();
    this.root = mkdtempSync(join(tmpdir(), "sh-run-"));
    chmodSync(this.root, 0o711);
    this.home = join(this.root, "home");
    this.dataDir = join(this.root, "data");
    mkdirSync(this.home);
    const identity = "[user]\n\tname = Test\n\temail = test@example.test\n[init]\n\tdefaultBranch = main\n";
    writeFileSync(join(this.home, ".gitconfig"), identity);
    this.environment = {
      PATH: process.env.PATH ?? "",
      HOME: this.home,
      XDG_DATA_HOME: join(this.home, "share"),
      LC_ALL: "C.UTF-8",
      NO_UPDATE_NOTIFIER: "1",
      SHIPINATOR_DATA_DIR: this.dataDir,
      ...this.#database?.variables,
    };
  }

  /** A directory with these files. */
  directory(name: string, files: Files): string {
    const directory = join(this.root, name);
    mkdirSync(directory, { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    return directory;
  }

  /** A repository with these files committed on `main`. */
  repository(name: string, files: Files): string {
    const directory = this.directory(name, files);
    this.git(directory, "init", "--quiet");
    this.commit(directory, "first");
    return directory;
  }

  /** Commits everything. @returns the commit's id */
  commit(directory: string, message: string): string {
    this.git(directory, "add", "--all");
    this.git(directory, "commit", "--quiet", "--allow-empty", "--message", message);
    return this.git(directory, "rev-parse", "HEAD");
  }

  git(directory: string, ...args: string[]): string {
    const options = { cwd: directory, env: this.environment, encoding: "utf8", stdio: "pipe" } as const;
    return execFileSync("git", args, options).trim();
  }

  start(argv: readonly string[], options: CommandOptions = {}): Running {
    const child = spawn(process.execPath, [options.launcher ?? launcher, ...argv], {
      cwd: options.cwd ?? checkout,
      env: { ...this.environment, ...options.env },
      stdio: ["pipe", options.stdout ?? "pipe", "pipe"],
      ...options.as,
    });
    child.stdin?.on("error", () => {});
    if (options.input !== null) child.stdin?.end(options.input ?? "");
    return follow(child);
  }

  async shipinator(argv: readonly string[], options: CommandOptions = {}): Promise<Answer> {
    return await this.start(argv, options).ended;
  }

  /** One that has to end with 0. @throws saying what it said instead */
  async succeed(argv: readonly string[], options: CommandOptions = {}): Promise<Answer> {
    const answer = await this.shipinator(argv, options);
    if (answer.code !== 0) throw new Error(`${argv.join(" ")} ended with ${answer.code}: ${answer.output}`);
    return answer;
  }

  /** One `run -o json`: its answer, and the view that it showed beside it. For runs that are accepted. */
  async run(argv: readonly string[], options: CommandOptions = {}): Promise<RunAnswer> {
    const { code, stdout, stderr } = await this.shipinator(["run", ...argv, "-o", "json"], options);
    const run: RunDetail = JSON.parse(stdout);
    if (run.status === undefined) throw new Error(`the run was refused:\n${stderr}`);
    const log = (step: string) =>
      stderr
        .split("\n")
        .filter((line) => line.startsWith(`[${step}] `))
        .map((line) => `${line.slice(step.length + 3)}\n`)
        .join("");
    return { code, run, view: stderr, log };
  }

  /** What `status` knows of a run. */
  async status(run = "latest"): Promise<RunDetail> {
    return JSON.parse((await this.succeed(["status", run, "-o", "json"])).stdout);
  }

  /** What a step wrote. */
  async log(run: string, step: string): Promise<string> {
    return (await this.succeed(["logs", run, "--step", step])).stdout;
  }

  /** What of this world is running now. */
  processes(): readonly FoundProcess[] {
    return processesOf(this.root);
  }

  /** Waits until nothing of this world runs. @throws naming what goes on */
  async quiet(): Promise<void> {
    await eventually(() => {
      const left = this.processes();
      if (left.length > 0)
        throw new Error(`left running:\n${left.map(({ pid, command }) => `${pid} ${command}`).join("\n")}`);
    });
  }

  /** Ends what is left, removes everything, and complains when something was left. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.quiet();
    } finally {
      for (const { pid } of this.processes()) killIfThere(pid);
      execFileSync("chmod", ["-R", "u+rwX", this.root]);
      rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      this.#database?.drop();
    }
  }

  /** A world whose database was made before: that takes longer than most tests. */
  static async prepared(): Promise<World> {
    const world = new World();
    if (world.#database !== null) return world;
    const { inject } = await import("vitest");
    await promisify(execFile)("cp", ["-a", `${inject("seed")}/.`, world.dataDir]);
    return world;
  }
}

export function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}

function follow(child: ChildProcess): Running {
  let stdout = "";
  let stderr = "";
  const waiting = new Set<() => void>();
  const hear = () => {
    for (const check of waiting) check();
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    hear();
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    hear();
  });
  const ended = once(child, "close").then((): Answer => {
    const { exitCode: code, signalCode: signal } = child;
    return { code, signal, stdout, stderr, output: `${stdout}${stderr}` };
  });
  return {
    child,
    ended,
    async said(pattern) {
      const heard = Promise.withResolvers<void>();
      const check = () => {
        if (pattern.test(`${stdout}\n${stderr}`)) heard.resolve();
      };
      waiting.add(check);
      check();
      void ended.then((answer) =>
        heard.reject(new Error(`it ended without saying ${pattern}:\n${answer.stdout}\n${answer.stderr}`)),
      );
      try {
        await heard.promise;
      } finally {
        waiting.delete(check);
      }
    },
  };
}
