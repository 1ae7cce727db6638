/**
 * The executor of steps that run elsewhere and report by callback. It keeps nothing: what was handed out and what was
 * said of it are rows, so any process that asks comes to the same answer. An attempt is written down, then an executor is
 * started for it, which claims it; only one can. The begin is recorded before the first command, so "not begun" is proven
 * by the row.
 *
 * An executor that is silent for `silenceMs` is lost. Silence counts from its last callback, or from the moment since
 * which it could reach this process and this process the database, whichever is later: an absence of the server, or of
 * Postgres, ends nothing.
 */
import type { ExecutionStatus, OutputSpec } from "../../domain/index.ts";
import { type Clock, errorMessage, type Logger } from "../../kernel/index.ts";
import type { Executor, ExecutorNotification, FoundOutput } from "../types.ts";
import { statusOf } from "./outcome.ts";
import type { Launcher, Report, Reports, Upload } from "./types.ts";

export interface RemoteExecutorOptions {
  readonly reports: () => Promise<Reports>;
  readonly launcher: Launcher;
  /** Bytes kept of an attempt's log. */
  readonly logSize: (id: Report["execution_id"]) => Promise<number>;
  /** Calls back with each execution that a callback has changed, until the signal aborts. */
  readonly watch: (signal: AbortSignal, listener: (id: Report["execution_id"]) => void) => void;
  readonly unavailableReason: () => Promise<string | null>;
  /** Monotonic time since which executors can reach this process; null: they cannot yet. */
  readonly reachableSince: () => number | null;
  /** Milliseconds without a word after which an executor is lost. */
  readonly silenceMs: number;
  /** Milliseconds in which an executor must have claimed what it was started for. */
  readonly pendingMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Makes a deadline surely due when its alarm rings. */
const alarmMarginMs = 50;

export function createRemoteExecutor(options: RemoteExecutorOptions): Executor {
  const { launcher, clock, log } = options;
  /** Monotonic time since which the database has answered every question. */
  let answeredSince = clock.monotonic();
  const listeners = new Set<(id: Report["execution_id"]) => void>();
  const alarms = new Map<Report["execution_id"], AbortController>();
  const over = new AbortController();

  async function ask<T>(question: (reports: Reports) => Promise<T>): Promise<T> {
    try {
      return await question(await options.reports());
    } catch (error) {
      answeredSince = clock.monotonic();
      throw error;
    }
  }

  /** Milliseconds in which a callback could have been taken. */
  function presentMs(): number {
    const now = clock.monotonic();
    return now - Math.max(options.reachableSince() ?? now, answeredSince);
  }

  /** Looks again when the patience with it may be over. */
  function setAlarm(id: Report["execution_id"], inMs: number): void {
    alarms.get(id)?.abort();
    const alarm = new AbortController();
    alarms.set(id, alarm);
    const signal = AbortSignal.any([alarm.signal, over.signal]);
    void clock.sleep(Math.max(0, inMs) + alarmMarginMs, signal).then(() => {
      if (signal.aborted) return;
      alarms.delete(id);
      for (const listener of listeners) listener(id);
    });
  }

  function clearAlarm(id: Report["execution_id"]): void {
    alarms.get(id)?.abort();
    alarms.delete(id);
  }

  /** Reads the report, after ending it if it is overdue. */
  async function look(id: Report["execution_id"]): Promise<Report | null> {
    const found = await ask((reports) => reports.get(id));
    if (found === null || found.final_status !== null || found.closed_at !== null) {
      clearAlarm(id);
      return found;
    }
    const claimed = found.claimed_at !== null;
    const [patience, waited] = claimed
      ? [options.silenceMs, found.silent_ms]
      : [options.pendingMs, found.age_ms];
    const left = patience - Math.min(waited, presentMs());
    if (left >= 0) {
      setAlarm(id, left);
      return found;
    }
    await ask((reports) =>
      claimed
        ? reports.close(id, "executor_lost", "unreported")
        : reports.close(id, "unschedulable", "unclaimed"),
    );
    return await ask((reports) => reports.get(id));
  }

  async function status(id: Report["execution_id"]): Promise<ExecutionStatus> {
    const report = await look(id);
    // The row is committed before anything is launched.
    if (report === null) return { state: "unknown", unsubmitted: true };
    if (report.final_status === null && report.closed_at === null) return statusOf(report, [], 0);
    const [uploads, logBytes] = await Promise.all([
      ask((reports) => reports.uploads(id)),
      options.logSize(id),
    ]);
    return statusOf(report, uploads, logBytes);
  }

  return {
    type: "remote",
    open: (job) => launcher.openJob(job),
    async submit(spec) {
      const report = await ask((reports) => reports.submit(spec));
      // Launched by a process that died before it could say so, it is launched again: one of the two claims it.
      if (report.launched_at !== null || report.claimed_at !== null || report.closed_at !== null) return;
      try {
        await launcher.submit(spec);
      } catch (error) {
        // It may have been started all the same: only what nobody can claim any more has not begun.
        const refused = await ask((reports) => reports.close(spec.executionId, "start_failed", "unclaimed"));
        if (refused) throw error;
        log.warn(
          { execution_id: spec.executionId, error: errorMessage(error) },
          "the program that starts executors failed, and yet the attempt was claimed",
        );
      }
      await ask((reports) => reports.markLaunched(spec.executionId));
    },
    status: ({ executionId }) => status(executionId),
    async cancel(handle, cause, graceSeconds) {
      await ask((reports) => reports.requestStop(handle.executionId, cause, graceSeconds));
      await launcher.cancel(handle, cause, graceSeconds);
    },
    async outputs({ executionId }, wanted) {
      const uploads = await ask((reports) => reports.uploads(executionId));
      return wanted.map((output) => found(output, uploads));
    },
    async close(job) {
      await ask((reports) => reports.closeJob(job.jobId, job.attempt));
      await launcher.closeJob(job);
    },
    watch(signal, listener) {
      if (signal.aborted) return;
      const notify = (executionId: Report["execution_id"]) => {
        const notification: ExecutorNotification = { executionId, state: "ended" };
        listener(notification);
      };
      listeners.add(notify);
      signal.addEventListener("abort", () => listeners.delete(notify), { once: true });
      options.watch(signal, notify);
    },
    unsupported: () => [],
    unavailableReason: options.unavailableReason,
    async [Symbol.asyncDispose]() {
      over.abort();
    },
  };
}

function found(output: OutputSpec, uploads: readonly Upload[]): FoundOutput {
  if (output.ref !== null) return { output, kind: "ref", ref: output.ref };
  const upload = uploads.find(({ name }) => name === output.name);
  if (upload !== undefined) return { output, kind: "stored", stored: storedOf(upload) };
  return {
    output,
    kind: "missing",
    reason: "artifact_missing",
    message: `the executor did not upload ${output.path ?? output.name}`,
  };
}

function storedOf(upload: Upload): Extract<FoundOutput, { kind: "stored" }>["stored"] {
  const { artifact_id: artifactId, checksum: sha256, size, storage_path: storagePath, metadata } = upload;
  return { artifactId, sha256, size, storagePath, metadata };
}
