/** A local executor with everything it makes below one temporary directory, and its end. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionSpec, JobSpec, Outcome } from "../../../src/domain/index.ts";
import {
  createLocalExecutor,
  type LocalExecutor,
  type LocalExecutorOptions,
} from "../../../src/executor/index.ts";
import { errorCode, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { eventually } from "../../support/eventually.ts";
import { handleOf, jobOf, specOf } from "../../unit/executor/specs.ts";

export interface World extends AsyncDisposable {
  readonly directory: string;
  /** The instance in charge; replaced by `restart`. */
  executor: LocalExecutor;
  open(over?: Partial<JobSpec>): Promise<JobSpec>;
  path(job: JobSpec, ...parts: readonly string[]): string;
  /** Submits and waits for the end. */
  run(
    job: JobSpec,
    command: string,
    over?: Partial<ExecutionSpec>,
  ): Promise<Outcome & { readonly log: string }>;
  submit(job: JobSpec, command: string, over?: Partial<ExecutionSpec>): Promise<ExecutionSpec>;
  ended(spec: ExecutionSpec): Promise<Outcome>;
  /** Resolves when the file is there; steps make it to say how far they are. */
  appears(path: string): Promise<string>;
  log(spec: ExecutionSpec): string;
  logBytes(spec: ExecutionSpec): Buffer;
  restart(over?: Partial<LocalExecutorOptions>): Promise<LocalExecutor>;
}

export function optionsIn(directory: string, over: Partial<LocalExecutorOptions> = {}): LocalExecutorOptions {
  return {
    directory: join(directory, "executor"),
    environment: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: directory, LANG: "C.UTF-8" },
    clock: systemClock,
    log: silentLogger,
    logCapBytes: 64 * 1024 * 1024,
    minFreeBytes: 0,
    platform: process.platform,
    strategies: ["session"],
    kill: killQuietly,
    checkout: async (_source, workspace) => writeFileSync(join(workspace, "README"), "checked out\n"),
    restore: async (input, { root }) => writeFileSync(join(root, input.name), input.sha256),
    logFile: (id) => join(directory, `${id}.log`),
    logGrows() {},
    logEnds() {},
    secrets: async ({ job, secrets: names }) => ({
      variables: Object.fromEntries(names.map((name) => [name, `value of ${name}`])),
      masked: [...names, ...(job.runSecrets ?? [])].map((name) => `value of ${name}`),
    }),
    maskingWriter: [process.execPath, fileURLToPath(new URL("../../../src/mask.ts", import.meta.url))],
    ...over,
  };
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}

export function makeWorld(over: Partial<LocalExecutorOptions> = {}): World {
  const directory = mkdtempSync(join(tmpdir(), "shipinator-executor-"));
  const opened: JobSpec[] = [];
  const logPath = (spec: ExecutionSpec) => join(directory, `${spec.executionId}.log`);

  const world: World = {
    directory,
    executor: createLocalExecutor(optionsIn(directory, over)),
    async open(jobOver = {}) {
      const job = jobOf(jobOver);
      await world.executor.open(job);
      opened.push(job);
      return job;
    },
    path: (job, ...parts) => join(directory, "executor", `${job.jobId}.${job.attempt}`, ...parts),
    async run(job, command, specOver) {
      const spec = await world.submit(job, command, specOver);
      const outcome = await world.ended(spec);
      return { ...outcome, log: world.log(spec) };
    },
    async submit(job, command, specOver = {}) {
      const spec = specOf(job, command, specOver);
      await world.executor.submit(spec);
      return spec;
    },
    async ended(spec) {
      const abort = new AbortController();
      try {
        const notified = Promise.withResolvers<void>();
        world.executor.watch(abort.signal, (notification) => {
          if (notification.executionId === spec.executionId && notification.state === "ended")
            notified.resolve();
        });
        if ((await world.executor.status(handleOf(spec))).state !== "ended") await notified.promise;
        const status = await world.executor.status(handleOf(spec));
        if (status.state !== "ended") throw new Error(`notified as ended, but ${status.state}`);
        return status.outcome;
      } finally {
        abort.abort();
      }
    },
    async appears(path) {
      await eventually(() => existsSync(path) && readFileSync(path, "utf8") !== "");
      return readFileSync(path, "utf8");
    },
    log: (spec) => (existsSync(logPath(spec)) ? readFileSync(logPath(spec), "utf8") : ""),
    logBytes: (spec) => readFileSync(logPath(spec)),
    async restart(next = {}) {
      await world.executor[Symbol.asyncDispose]();
      world.executor = createLocalExecutor(optionsIn(directory, { ...over, ...next }));
      return world.executor;
    },
    async [Symbol.asyncDispose]() {
      await world.executor.sweep(async () => true);
      // A step may have removed what the sweep goes by, and still run when its test has failed.
      for (const job of opened) if (!existsSync(world.path(job))) await world.executor.close(job);
      await world.executor[Symbol.asyncDispose]();
      chmodSync(directory, 0o700);
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return world;
}

/** True while a process with that id lives (a zombie does not). */
export function isAlive(pid: string | number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${String(pid).trim()}/stat`, "latin1"));
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ESRCH") return false;
    throw error;
  }
}
