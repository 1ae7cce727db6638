/**
 * Attempts as this process follows them: what the workers tell, what the files prove, when one has ended, and how one is
 * ended. Files are the truth; a worker's lines only say when to look.
 */
import { existsSync, writeFileSync } from "node:fs";
import type { ExecutionStatus, Outcome } from "../../../domain/index.ts";
import { errorMessage } from "../../../kernel/index.ts";
import type { CancelCause, ExecutionHandle, ExecutorNotification } from "../../types.ts";
import { oomKills } from "../containment/containment.ts";
import type { Deadlines } from "../deadlines.ts";
import type { Job } from "../jobs/jobs.ts";
import { readLine, stepPaths } from "../jobs/layout.ts";
import type { LocalExecutorOptions } from "../options.ts";
import { endLogWriter } from "../worker/log-writer.ts";
import type { StepRecord } from "../worker/step-script.ts";
import type { Worker, WorkerEvent } from "../worker/worker.ts";
import { type Attempt, conclude, type EndingDeps } from "./ending.ts";
import {
  decide,
  type Ending,
  neverBegan,
  readEvidence,
  readStepFile,
  reviveOutcome,
  timeOf,
} from "./outcome.ts";
import { lostBeforeBegin, takeStartLock } from "./start-lock.ts";

export interface AttemptsDeps {
  readonly options: LocalExecutorOptions;
  readonly deadlines: Deadlines;
  readonly emit: (notification: ExecutorNotification) => void;
}

export function createAttempts(deps: AttemptsDeps) {
  const { options, deadlines } = deps;
  const { clock } = options;
  const holdMs = options.holdMs ?? 2_000;
  const byName = new Map<string, Attempt>();
  let justBegun: Attempt[] = [];
  const ending: EndingDeps = {
    options,
    holdMs,
    settle: (attempt, how) => settle(attempt, outcomeOf(attempt, how), "keep"),
  };

  function track(handle: ExecutionHandle, job: Job, record: StepRecord | null): Attempt {
    const attempt: Attempt = {
      handle,
      paths: stepPaths(job.paths, handle),
      job,
      record,
      worker: null,
      outcome: null,
      begun: false,
      reported: { status: null, endedAt: null, log: null },
      drain: { asked: null, looks: 0 },
      ending: null,
      exited: Promise.withResolvers(),
      over: Promise.withResolvers(),
    };
    byName.set(attempt.paths.name, attempt);
    return attempt;
  }

  /** Ends the attempt's story. `keep` writes the outcome down where the files alone would not tell it. */
  function settle(attempt: Attempt, outcome: Outcome, keep: "derived" | "keep"): void {
    if (attempt.outcome !== null) return;
    attempt.outcome = outcome;
    if (keep === "keep") {
      try {
        writeFileSync(attempt.paths.outcome, `${JSON.stringify(outcome)}\n`);
      } catch (error) {
        options.log.warn(
          { execution_id: attempt.handle.executionId, error: errorMessage(error) },
          "an outcome could not be kept",
        );
      }
    }
    for (const what of ["timeout", "hold"]) deadlines.drop(`${what} ${attempt.paths.name}`);
    if (attempt.worker?.current === attempt.paths.name) attempt.worker.current = null;
    attempt.exited.resolve();
    attempt.over.resolve();
    options.logEnds(attempt.handle.executionId);
    deps.emit({ executionId: attempt.handle.executionId, state: "ended" });
  }

  function outcomeOf(attempt: Attempt, ending: Ending | null): Outcome {
    const scope = attempt.worker?.record.scope;
    const kills = scope === undefined ? 0 : oomKills(scope);
    const struck = attempt.worker !== null && kills > attempt.worker.oomSeen;
    if (attempt.worker !== null) attempt.worker.oomSeen = kills;
    return decide(readEvidence(attempt, struck), ending, clock.now());
  }

  function onEvent({ word, worker, value }: WorkerEvent): void {
    const attempt = worker.current === null ? undefined : byName.get(worker.current);
    if (attempt === undefined || attempt.outcome !== null) return;
    switch (word) {
      case "begun":
        attempt.begun = true;
        announce(attempt);
        break;
      case "exit":
        attempt.begun = true;
        attempt.reported = { status: value, endedAt: clock.now(), log: null };
        attempt.exited.resolve();
        holdLog(attempt);
        break;
      case "over":
        // One that was read late belongs to an earlier step: the present one's log writer leaves its word before it ends.
        if (attempt.reported.status !== null || readStepFile(attempt.paths).log !== null) {
          attempt.reported = { ...attempt.reported, log: value };
          finish(attempt);
        }
        break;
      case "dead":
        finish(attempt);
        break;
    }
  }

  /** A step that is over in a moment says so only once. */
  function announce(attempt: Attempt): void {
    justBegun.push(attempt);
    if (justBegun.length > 1) return;
    deadlines.set("announce", 25, () => {
      const ready = justBegun;
      justBegun = [];
      for (const it of ready) {
        if (it.outcome !== null) continue;
        options.logGrows(it.handle.executionId);
        deps.emit({ executionId: it.handle.executionId, state: "begun" });
      }
    });
  }

  /** The log is complete, or the shim is dead. */
  function finish(attempt: Attempt): void {
    attempt.exited.resolve();
    attempt.over.resolve();
    if (attempt.ending !== null || attempt.outcome !== null) return;
    const exit = attempt.reported.status ?? readStepFile(attempt.paths).exit;
    if (exit !== null) {
      settle(attempt, outcomeOf(attempt, null), attempt.worker?.alive ? "derived" : "keep");
    } else if (!attempt.begun && takeStartLock(attempt)) {
      settle(attempt, lostBeforeBegin(attempt, "the shim ended before the step began", clock.now()), "keep");
    } else {
      conclude(attempt, "lost", 0, ending).catch((error: unknown) => complain(attempt, error));
    }
  }

  /** After the step's end a grandchild may hold the log's pipe; it gets a moment, then the log writer is ended. */
  function holdLog(attempt: Attempt): void {
    const look = (ms: number) =>
      deadlines.set(`hold ${attempt.paths.name}`, ms, () => {
        try {
          const again = endLogWriter(attempt, options.kill);
          if (again !== null) look(again);
        } catch (error) {
          complain(attempt, error);
        }
      });
    look(holdMs);
  }

  function watchTimeout(attempt: Attempt): void {
    const { record } = attempt;
    if (record === null) return;
    const begunAt = attempt.begun ? timeOf(attempt.paths.startLock) : null;
    const rest =
      record.timeoutSeconds * 1_000 - (begunAt === null ? 0 : clock.now().getTime() - begunAt.getTime());
    deadlines.set(`timeout ${attempt.paths.name}`, Math.max(0, rest), () => {
      if (attempt.outcome !== null) return;
      const since = timeOf(attempt.paths.startLock);
      // Until it has begun its time does not run; a suspended machine's clock may have jumped.
      if (since === null || clock.now().getTime() - since.getTime() < record.timeoutSeconds * 1_000)
        watchTimeout(attempt);
      else
        cancel(attempt, "timed_out", record.graceSeconds).catch((error: unknown) => complain(attempt, error));
    });
  }

  function complain(attempt: Attempt, error: unknown): void {
    options.log.error(
      { execution_id: attempt.handle.executionId, error: errorMessage(error) },
      "a step could not be ended",
    );
  }

  /** Re-attaches to an attempt after a restart. Leaves it ended, or followed. */
  function recover(handle: ExecutionHandle, job: Job): Attempt {
    const paths = stepPaths(job.paths, handle);
    const attempt = track(handle, job, readStepFile(paths).record);
    const worker = job.workers.find((it) => it.directory.endsWith(`/${attempt.record?.worker}`)) ?? null;
    attempt.worker = worker;
    const kept = readLine(paths.outcome);
    if (kept !== null) {
      settle(attempt, reviveOutcome(kept), "derived");
    } else if (takeStartLock(attempt)) {
      settle(
        attempt,
        lostBeforeBegin(attempt, "the server stopped before this step began", clock.now()),
        "keep",
      );
    } else if (!job.ofThisBoot) {
      const lost = decide(readEvidence(attempt, false), null, clock.now());
      const message = "the machine was restarted while this step ran, or before its results were safe";
      settle(attempt, { ...lost, exitCode: null, reason: "executor_lost", message }, "keep");
    } else {
      follow(attempt, worker);
    }
    return attempt;
  }

  function follow(attempt: Attempt, worker: Worker | null): void {
    attempt.begun = true;
    options.logGrows(attempt.handle.executionId);
    const marked = readLine(attempt.paths.cancel);
    const { exit, log } = readStepFile(attempt.paths);
    if (marked !== null) {
      // The server died while it ended this attempt: it goes on.
      cancel(attempt, marked === "timed_out" ? "timed_out" : "canceled", 0).catch((error: unknown) =>
        complain(attempt, error),
      );
    } else if (!worker?.alive || log !== null) {
      finish(attempt);
    } else {
      worker.current = attempt.paths.name;
      attempt.reported = { status: exit, endedAt: null, log: null };
      if (exit === null) watchTimeout(attempt);
      else holdLog(attempt);
    }
  }

  function cancel(attempt: Attempt, cause: CancelCause, graceSeconds: number): Promise<void> {
    if (attempt.outcome !== null) return Promise.resolve();
    if (attempt.ending !== null) {
      attempt.ending.hurry(graceSeconds);
      return attempt.ending.done;
    }
    if (!attempt.begun && takeStartLock(attempt)) {
      const { job } = attempt;
      const message = `${cause === "canceled" ? "canceled" : "timed out"} before it began`;
      settle(
        attempt,
        neverBegan(cause, message, clock.now(), existsSync(job.paths.workspace) ? "whole" : "gone"),
        "keep",
      );
      return Promise.resolve();
    }
    attempt.begun = true;
    // Success that was proven before stands; only its log is still being completed.
    if (
      (attempt.reported.status ?? readStepFile(attempt.paths).exit) !== null &&
      readLine(attempt.paths.cancel) === null
    ) {
      if (!attempt.worker?.alive) finish(attempt);
      return attempt.over.promise;
    }
    return conclude(attempt, cause, graceSeconds, ending);
  }

  return {
    byName,
    track,
    settle,
    onEvent,
    recover,
    watchTimeout,
    cancel,
    status(attempt: Attempt): ExecutionStatus {
      // A worker's words may have gone to another process that listens to it; the files tell the same.
      if (attempt.outcome === null && attempt.ending === null && attempt.worker !== null) {
        const { exit, log } = readStepFile(attempt.paths);
        if (exit !== null && log !== null) finish(attempt);
      }
      if (attempt.outcome !== null) return { state: "ended", outcome: attempt.outcome };
      const begunAt = timeOf(attempt.paths.startLock);
      if (begunAt === null && !attempt.begun) return { state: "waiting" };
      return { state: "begun", begunAt: begunAt ?? clock.now() };
    },
    forget(job: Job): void {
      for (const [name, attempt] of byName) {
        if (attempt.job.paths.key !== job.paths.key) continue;
        if (attempt.outcome === null) {
          const lost = decide(readEvidence(attempt, false), null, clock.now());
          const message = "its job was closed before it had ended";
          settle(attempt, { ...lost, exitCode: null, reason: "executor_lost", message }, "derived");
        }
        byName.delete(name);
      }
    },
  };
}
