/** Attempts, and how one is ended before its own end. */
import { writeFileSync } from "node:fs";
import type { Outcome } from "../../../domain/index.ts";
import type { ProcessInfo } from "../../../kernel/index.ts";
import { errorMessage, wakeReason } from "../../../kernel/index.ts";
import type { CancelCause, ExecutionHandle } from "../../types.ts";
import { endWorker, signalEach, workerProcesses } from "../containment/containment.ts";
import { isMachinery } from "../containment/session.ts";
import type { Job } from "../jobs/jobs.ts";
import type { StepPaths } from "../jobs/layout.ts";
import type { LocalExecutorOptions } from "../options.ts";
import type { StepRecord } from "../worker/step-script.ts";
import type { Worker } from "../worker/worker.ts";
import { type Ending, readStepFile } from "./outcome.ts";

export interface Attempt {
  readonly handle: ExecutionHandle;
  readonly paths: StepPaths;
  readonly job: Job;
  readonly record: StepRecord | null;
  worker: Worker | null;
  outcome: Outcome | null;
  begun: boolean;
  /** The shim's report of the script's end and the log's, in case the disk did not keep it. */
  reported: { readonly status: string | null; readonly endedAt: Date | null; readonly log: string | null };
  /** Progress of the wait for the end of the log. `asked`: the size of the log writer's answers when it was asked, null before. */
  readonly drain: { asked: number | null; looks: number };
  ending: {
    readonly cause: CancelCause;
    readonly done: Promise<void>;
    hurry(graceSeconds: number): void;
  } | null;
  /** The script's own end, its log's end (or the shim's death), and the outcome. */
  readonly exited: PromiseWithResolvers<void>;
  readonly over: PromiseWithResolvers<void>;
}

/** Bounds the wait for a log whose pipe nobody seems to hold: what holds it may be hidden from us. */
export const UNHELD_LOG_MS = 10_000;

/** Node's timers take less than 2^31 ms. */
const maxSleep = 86_400_000;

export interface EndingDeps {
  readonly options: LocalExecutorOptions;
  readonly holdMs: number;
  /** Called with nothing of the worker alive. */
  readonly settle: (attempt: Attempt, ending: Ending) => void;
}

/**
 * Terminate, grace, kill, prove that nothing is left; then the outcome. The whole worker goes, with what earlier steps left
 * in it: their job is over with this step.
 * @throws Problem executor_failed when processes cannot be ended; a further call tries again
 */
export function conclude(
  attempt: Attempt,
  cause: Ending["cause"],
  graceSeconds: number,
  { options, holdMs, settle }: EndingDeps,
): Promise<void> {
  const { clock } = options;
  let grace = new AbortController();
  let until = clock.monotonic() + graceSeconds * 1_000;
  const done = carryOut().catch((error: unknown) => {
    attempt.ending = null; // so that the next call tries again
    throw error;
  });
  attempt.ending = {
    cause: cause === "lost" ? "canceled" : cause,
    done,
    hurry(seconds) {
      until = Math.min(until, clock.monotonic() + seconds * 1_000);
      grace.abort(wakeReason);
    },
  };
  return done;

  async function waitFor(what: Promise<void>, ms: () => number): Promise<void> {
    let happened = false;
    void what.then(() => {
      happened = true;
      grace.abort(wakeReason);
    });
    await Promise.resolve();
    while (!happened && ms() > 0) {
      grace = new AbortController();
      await clock.sleep(Math.min(ms(), maxSleep), grace.signal);
    }
  }

  /** Waits for processes that SIGTERM reached, which may take a moment longer than the script. */
  async function settled(list: () => ProcessInfo[], deadline: number): Promise<ProcessInfo[]> {
    let left = list();
    for (let wait = 1; left.length > 0 && clock.monotonic() < deadline; wait *= 2) {
      await clock.sleep(wait);
      left = list();
    }
    return left;
  }

  /** The step's file tells it too: a full disk does not keep it, and the worker's words may go to another process. */
  async function logEnded(worker: Worker, deadline: number): Promise<void> {
    const isOpen = () =>
      worker.alive && attempt.reported.log === null && readStepFile(attempt.paths).log === null;
    for (let wait = 1; isOpen() && clock.monotonic() < deadline; wait = Math.min(wait * 2, 50))
      await clock.sleep(wait);
  }

  /** Notes the cause, so that a server that restarts meanwhile ends the attempt for the same one. */
  function note({ handle, paths }: Attempt, why: CancelCause): void {
    try {
      writeFileSync(paths.cancel, `${why}\n`);
    } catch (error) {
      options.log.warn(
        { execution_id: handle.executionId, error: errorMessage(error) },
        "a cancel could not be noted",
      );
    }
  }

  async function carryOut(): Promise<void> {
    const { worker, paths } = attempt;
    let strategy: Ending["strategy"] = null;
    let script: Ending["script"] = "killed";
    if (cause !== "lost") note(attempt, cause);
    if (worker !== null) {
      const { scope } = worker.record;
      const identity = worker.identity();
      const users = () =>
        workerProcesses(scope, identity).filter((it) => !isMachinery(it, identity.shim?.pid ?? -1));
      if (cause !== "lost") {
        signalEach(users(), "SIGTERM", options.kill);
        await waitFor(attempt.exited.promise, () => until - clock.monotonic());
      }
      if (readStepFile(paths).exit !== null) script = "ended";
      const left = await settled(users, script === "ended" ? Math.min(until, clock.monotonic() + 250) : 0);
      if (left.length > 0) strategy = scope.strategy;
      // First the user's processes alone, so that the log writer can store what they wrote; then the strategy, which proves it.
      signalEach(left, "SIGKILL", options.kill);
      const isHeld = (await settled(users, clock.monotonic() + 250)).length > 0;
      await logEnded(worker, clock.monotonic() + (isHeld ? Math.min(holdMs, 1_000) : UNHELD_LOG_MS));
      worker.detach();
      await endWorker(scope, identity, options);
    }
    await Promise.resolve();
    const { timeoutSeconds = 0 } = attempt.record ?? {};
    settle(attempt, { cause, strategy, script, timeoutSeconds });
  }
}
