/**
 * The local executor: steps are processes of this machine, under the server's own account. `submit` prepares files and
 * writes one line; everything that forks belongs to the spawner and the shims, which outlive the server.
 */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { type ExecutionSpec, type ExecutionStatus, unusedImage } from "../../domain/index.ts";
import { errorMessage, Problem, thisMachine } from "../../kernel/index.ts";
import { noSpaceReason } from "../free-space.ts";
import type { ClosingJob, ExecutionHandle, Executor, ExecutorNotification } from "../types.ts";
import { createAttempts } from "./attempts/attempts.ts";
import type { Attempt } from "./attempts/ending.ts";
import { neverBegan } from "./attempts/outcome.ts";
import { takeStartLock } from "./attempts/start-lock.ts";
import { type Containment, chooseContainment } from "./containment/containment.ts";
import { thisHierarchies } from "./containment/hierarchy.ts";
import { createDeadlines } from "./deadlines.ts";
import { accountShell, refuseUnreachable, rootEnvironment } from "./jobs/account.ts";
import { createJobs, hasAccounts, type Job } from "./jobs/jobs.ts";
import { jobPaths, makeHome, stepPaths } from "./jobs/layout.ts";
import type { KillStrategy, LocalExecutorOptions } from "./options.ts";
import { findOutputs } from "./outputs/outputs.ts";
import { hasSecrets, secretsFor } from "./secrets.ts";
import { createSpawner } from "./worker/spawner.ts";
import {
  createShellFinder,
  entryText,
  environmentFault,
  type StepRecord,
  stepScriptText,
  systemShell,
} from "./worker/step-script.ts";

export interface LocalExecutor extends Executor {
  readonly type: "local";
  /** The strategy that this machine allows. */
  readonly strategy: KillStrategy;
  sweep(isOver: (key: string) => Promise<boolean>): Promise<readonly string[]>;
}

/** @throws Problem environment: not Linux, or no way to end processes */
export function createLocalExecutor(options: LocalExecutorOptions): LocalExecutor {
  if (options.platform !== "linux") {
    throw new Problem("environment", `The local executor needs Linux, and this is ${options.platform}.`, {
      remedy: "Run Shipinator on Linux.",
    });
  }
  if (/[\n\0]/.test(options.directory) || !options.directory.startsWith("/")) {
    throw new Problem(
      "environment",
      `${JSON.stringify(options.directory)} cannot hold workspaces. It needs an absolute path without line breaks.`,
    );
  }
  for (const account of [options.account ?? [], options.accounts ?? []].flat())
    refuseUnreachable(options.directory, account);
  const containment = chooseContainment(
    options.strategies ?? ["cgroup", "freezer", "session"],
    thisHierarchies(),
  );
  try {
    makeHome(options.directory);
  } catch (error) {
    throw new Problem(
      "data_dir_unusable",
      `${options.directory} cannot hold workspaces: ${errorMessage(error)}`,
      { cause: error },
    );
  }
  return compose(options, containment);
}

/** A longer script goes into a file: the kernel takes 128 KiB for one argument. */
const maxArgument = 65_536;

function compose(options: LocalExecutorOptions, containment: Containment): LocalExecutor {
  const listeners = new Set<(notification: ExecutorNotification) => void>();
  const deadlines = createDeadlines(options.clock);
  const findShell = createShellFinder();
  const sh = systemShell();
  const spawner = createSpawner(hasAccounts(options) ? rootEnvironment : options.environment);
  const attempts = createAttempts({
    options,
    deadlines,
    emit: (notification) => {
      for (const listener of listeners) listener(notification);
    },
  });
  const jobs = createJobs({
    options,
    machine: thisMachine(),
    spawner,
    containment: () => containment,
    onEvent: attempts.onEvent,
  });

  /** Files first, then the line: what is not complete when the server dies was never released. */
  async function start(spec: ExecutionSpec, handle: ExecutionHandle, job: Job): Promise<void> {
    const paths = stepPaths(job.paths, handle);
    const directory = job.source === "tree" ? job.paths.workspace : job.paths.artifacts;
    if (spec.image !== null && options.images === "refuse")
      return refuse(
        spec,
        handle,
        job,
        `image ${JSON.stringify(spec.image)} is refused, because local.image is refuse: the local executor runs steps with what this machine has installed (Remove the step's image, or set local.image: ignore.)`,
      );
    const secrets = await secretsFor(spec, options);
    if (typeof secrets === "string") return refuse(spec, handle, job, secrets);
    const environment = { ...environmentOf(spec, job), ...secrets.variables };
    const [name = "sh", ...shellArguments] = spec.shell ?? ["sh", "-e"];
    const shell = findShell(name, environment.PATH ?? options.environment.PATH ?? "/usr/bin:/bin", directory);
    const fault =
      shell === null
        ? `the shell ${JSON.stringify(name)} is not there or not executable (PATH is ${environment.PATH ?? options.environment.PATH ?? "not set"})`
        : environmentFault(environment, sizeOf(options.environment), sh);
    if (shell === null || fault !== null) return refuse(spec, handle, job, fault ?? "");

    const inFile =
      spec.shell !== null || Buffer.byteLength(spec.command) > maxArgument || spec.command.includes("\0");
    if (inFile) writeFileSync(paths.script, spec.command);
    if (inFile && job.occupant.account !== null) chmodSync(paths.script, 0o644);
    const command = [shell, ...shellArguments, ...(inFile ? [paths.script] : ["-c", spec.command])];
    const { account: become } = job.occupant;
    const account = become === null ? null : { shell: accountShell(become), entry: paths.entry };
    if (account !== null) {
      const whole = { ...options.environment, ...environment };
      writeFileSync(paths.entry, entryText({ environment: whole, shell: command }), { mode: 0o600 });
    }
    const isMasked = secrets.masked.length > 0;
    if (isMasked) writeFileSync(paths.masked, JSON.stringify(secrets.masked), { mode: 0o600 });
    const logFile = await options.logFile(spec.executionId);
    for (let tries = 0; tries < 3; tries++) {
      const worker = await jobs.acquire(job, paths.name, spec.parallelGroup);
      const record: StepRecord = {
        executionId: spec.executionId,
        worker: worker.directory.slice(worker.directory.lastIndexOf("/") + 1),
        timeoutSeconds: spec.timeoutSeconds,
        graceSeconds: spec.graceSeconds,
        logFile,
      };
      writeFileSync(
        paths.file,
        stepScriptText({
          record,
          directory,
          environment,
          logCapBytes: options.logCapBytes,
          writer: isMasked ? [...options.maskingWriter, paths.masked] : [],
          shell: command,
          account,
        }),
        { mode: 0o600 },
      );
      const attempt = attempts.track(handle, job, record);
      attempt.worker = worker;
      if (worker.release(paths.name)) {
        attempts.watchTimeout(attempt);
        return;
      }
      // The worker died while it was idle (a step killed it from behind): another takes the step.
      worker.current = null;
      attempts.byName.delete(paths.name);
    }
    throw new Problem("executor_failed", "The shims of this job die as soon as they are started.");
  }

  function refuse(spec: ExecutionSpec, handle: ExecutionHandle, job: Job, fault: string): void {
    const attempt = attempts.track(handle, job, null);
    takeStartLock(attempt);
    const workspace = existsSync(job.paths.workspace) ? "whole" : "gone";
    attempts.settle(
      attempt,
      neverBegan(
        "start_failed",
        `step ${spec.name} could not be started: ${fault}`,
        options.clock.now(),
        workspace,
      ),
      "keep",
    );
  }

  function environmentOf(spec: ExecutionSpec, job: Job): Record<string, string> {
    return {
      ...surroundings(job),
      CI: "true",
      TMPDIR: job.paths.tmp,
      // A workspace that is no repository must not find one that our data directory happens to lie in.
      GIT_CEILING_DIRECTORIES: job.paths.root,
      SHIPINATOR_EXECUTION_ID: spec.executionId,
      ...(job.source === "none" ? { SHIPINATOR_ARTIFACTS_DIR: job.paths.artifacts } : {}),
      ...spec.env,
    };
  }

  function surroundings({ occupant: { account, home } }: Job): Record<string, string> {
    const own = options.accounts === undefined ? null : account;
    const names = own === null ? {} : { HOME: own.home, USER: own.name, LOGNAME: own.name };
    return { ...names, ...(home === null ? {} : { HOME: home }) };
  }

  /**
   * The attempt as known here, else as its files tell; null where there is no trace of it. One that is followed stays so
   * when the directory is gone, which its own step may have removed: the worker still brings its end, or dies.
   */
  function find(handle: ExecutionHandle): Attempt | "vanished" | null {
    const known = attempts.byName.get(`${handle.stepId}.${handle.attempt}`);
    if (known !== undefined) return known;
    const job = jobs.find({ jobId: handle.jobId, attempt: handle.jobAttempt });
    if (job === null || job === "vanished") return job;
    return attempts.recover(handle, job);
  }

  function vanished(): ExecutionStatus {
    const lost = neverBegan(
      "executor_lost",
      "the job's directory vanished, and with it all proof of what the step did",
      options.clock.now(),
      "gone",
    );
    return { state: "ended", outcome: { ...lost, began: true } };
  }

  async function close(name: ClosingJob): Promise<void> {
    const job = jobs.find(name);
    await jobs.close(name);
    if (job !== null && job !== "vanished") attempts.forget(job);
  }

  return {
    type: "local",
    strategy: containment.strategy,
    admission: (job) => jobs.admission(job),
    open: (job) => jobs.open(job),
    async submit(spec) {
      const handle: ExecutionHandle = {
        executionId: spec.executionId,
        stepId: spec.stepId,
        attempt: spec.attempt,
        jobId: spec.job.jobId,
        jobAttempt: spec.job.attempt,
      };
      const job = jobs.find(spec.job);
      if (job === null || job === "vanished") {
        throw new Problem("executor_failed", `Job ${spec.job.jobId} has no open workspace here.`, {
          remedy: "It is opened before its steps are submitted.",
        });
      }
      const { name, file, startLock } = stepPaths(job.paths, handle);
      if (attempts.byName.has(name)) return;
      if (!job.ofThisBoot || existsSync(file) || existsSync(startLock)) {
        attempts.recover(handle, job);
        return;
      }
      try {
        await start(spec, handle, job);
      } catch (error) {
        attempts.byName.delete(name);
        if (error instanceof Problem) throw error;
        throw new Problem(
          "storage_failed",
          `step ${spec.name} could not be prepared: ${errorMessage(error)}`,
          { cause: error },
        );
      }
    },
    async status(handle) {
      const found = find(handle);
      if (found === null) return { state: "unknown" };
      return found === "vanished" ? vanished() : attempts.status(found);
    },
    async cancel(handle, cause, graceSeconds) {
      const found = find(handle);
      if (found === null) return;
      if (found === "vanished") return jobs.close({ jobId: handle.jobId, attempt: handle.jobAttempt });
      await attempts.cancel(found, cause, graceSeconds);
    },
    async outputs(spec, wanted, signal) {
      const paths = jobPaths(options.directory, spec.job);
      const root = spec.source === "tree" ? paths.workspace : paths.artifacts;
      const owner = jobs.occupantOf(spec.job).account?.uid;
      const finding = { signal, hideNames: hasSecrets(spec) };
      return findOutputs(root, wanted, { ...finding, ...(owner === undefined ? {} : { owner }) });
    },
    close,
    watch(signal, listener) {
      if (signal.aborted) return;
      listeners.add(listener);
      signal.addEventListener("abort", () => listeners.delete(listener), { once: true });
    },
    unsupported: ({ image }) => (image === null || options.images === "refuse" ? [] : [unusedImage(image)]),
    unavailableReason: () => noSpaceReason(options.directory, options.minFreeBytes, options.freeBytes),
    async sweep(isOver) {
      const closed: string[] = [];
      for (const name of jobs.names()) {
        const { key } = jobPaths(options.directory, name);
        if (!(await isOver(key))) continue;
        await close(name);
        closed.push(key);
      }
      return closed;
    },
    async [Symbol.asyncDispose]() {
      deadlines.stop();
      for (const { handle } of attempts.byName.values()) options.logEnds(handle.executionId);
      jobs.detachAll();
      listeners.clear();
      await spawner[Symbol.asyncDispose]();
    },
  };
}

const sizeOf = (environment: Readonly<Record<string, string>>) =>
  Object.entries(environment).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + 10,
    0,
  );
