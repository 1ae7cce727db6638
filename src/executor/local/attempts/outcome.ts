/** From what an ended attempt left behind to its outcome. Deciding is pure; `readEvidence` does the reading. */
import { statSync } from "node:fs";
import type { Outcome } from "../../../domain/index.ts";
import type { CancelCause } from "../../types.ts";
import { readIfThere, type StepPaths } from "../jobs/layout.ts";
import type { KillStrategy } from "../options.ts";
import { parseStepFile, type StepFile, type StepRecord } from "../worker/step-script.ts";

export interface Evidence {
  /** A status, or `nowhere`; null when there is none. */
  readonly exit: string | null;
  readonly begunAt: Date | null;
  readonly endedAt: Date | null;
  readonly logBytes: number;
  readonly logDropped: number;
  /** `torn`: the disk refused some of it; null: nobody says that it is complete. */
  readonly log: string | null;
  /** The out-of-memory killer struck in the worker while the step ran. */
  readonly outOfMemory: boolean;
}

/** Way in which the executor ended the attempt. */
export interface Ending {
  readonly cause: CancelCause | "lost";
  /** Null when SIGTERM was enough for everything. */
  readonly strategy: KillStrategy | null;
  /** `ended`: the script ended by itself, so its exit status is its own. */
  readonly script: "ended" | "killed";
  readonly timeoutSeconds: number;
}

/** Files of an attempt, with the facts that are known even if the step removed them. */
export interface Traces {
  readonly paths: StepPaths;
  /** The shim's own report of the same status, in case the disk did not keep it. */
  readonly reported: {
    readonly status: string | null;
    readonly endedAt: Date | null;
    readonly log: string | null;
  };
  readonly record: StepRecord | null;
}

/** Reads the traces of the attempt. */
export function readEvidence({ paths, reported, record: known }: Traces, outOfMemory: boolean): Evidence {
  const { record: written, exit, log } = readStepFile(paths);
  const record = known ?? written;
  const size = record === null ? 0 : (statSync(record.logFile, { throwIfNoEntry: false })?.size ?? 0);
  const drained = log === "whole" ? null : readIfThere(paths.drained);
  return {
    exit: exit ?? reported.status,
    begunAt: timeOf(paths.startLock),
    endedAt: reported.endedAt ?? (exit === null ? null : timeOf(paths.file)),
    logBytes: size,
    logDropped: Number([...(drained ?? "").matchAll(/^(\d+) bytes?\b/gm)].at(-1)?.[1] ?? 0),
    log: log ?? reported.log,
    outOfMemory,
  };
}

export function readStepFile(paths: StepPaths): StepFile {
  return parseStepFile(readIfThere(paths.file) ?? "");
}

export function timeOf(path: string): Date | null {
  return statSync(path, { throwIfNoEntry: false })?.mtime ?? null;
}

const tornLog = "the disk refused a part of the log";

/** The outcome of an attempt that began. */
export function decide(it: Evidence, ending: Ending | null, now: Date): Outcome {
  const status = it.exit !== null && /^\d+$/.test(it.exit) ? Number(it.exit) : null;
  const [reason, message] = resultOf(it, ending, status);
  const whole = it.exit === "nowhere" && ending === null;
  return {
    began: !whole,
    begunAt: whole ? null : it.begunAt,
    endedAt: it.endedAt ?? now,
    exitCode: ending?.script === "killed" ? null : status,
    reason,
    message: it.log === "torn" && reason !== "internal" ? `${message}; ${tornLog}` : message,
    workspaceWhole: false,
    logBytes: it.logBytes,
    logDropped: it.logDropped,
    killedBy: ending?.strategy ?? null,
  };
}

function resultOf(
  it: Evidence,
  ending: Ending | null,
  status: number | null,
): [reason: Outcome["reason"], message: string | null] {
  if (ending?.cause === "timed_out")
    return ["timed_out", `the step ran longer than its timeout of ${ending.timeoutSeconds} s`];
  if (ending?.cause === "canceled") return ["canceled", "canceled while it ran"];
  if (status === null) {
    if (it.exit === "nowhere") return ["start_failed", "the workspace is gone: an earlier step removed it"];
    if (it.log !== null) {
      return [
        "executor_lost",
        "the step's exit status is lost: the shell that waits for it was killed, perhaps by the step itself (kill $PPID)",
      ];
    }
    return [
      "executor_lost",
      "the step's supervisor died before the step's end; the step may have killed it itself (kill 0, kill $PPID), or somebody did",
    ];
  }
  if (status === 0 && it.log === "torn")
    return ["internal", `${tornLog}, so the step does not count as a success`];
  if (status === 0 && it.log === null)
    return ["internal", "the end of the log was not recorded, so a part of it may be missing"];
  if (status === 0) return [null, null];
  if (it.outOfMemory)
    return [
      "out_of_memory",
      `the kernel killed a process of the step for want of memory (exit status ${status})`,
    ];
  return ["script_failed", statusSentence(status)];
}

const signals: Readonly<Record<number, string>> = {
  129: "SIGHUP",
  130: "SIGINT",
  131: "SIGQUIT",
  134: "SIGABRT",
  135: "SIGBUS",
  136: "SIGFPE",
  137: "SIGKILL",
  139: "SIGSEGV",
  141: "SIGPIPE",
  143: "SIGTERM",
};

function statusSentence(status: number): string {
  const plain = `the script exited with status ${status}`;
  if (status === 127) return `${plain}: a command was not found`;
  if (status === 126) return `${plain}: a command could not be executed`;
  const signal = signals[status];
  return signal === undefined ? plain : `${plain}, as after ${signal}`;
}

/** The outcome of an attempt whose start lock we hold: no command of the user's has begun, and none can. */
export function neverBegan(
  reason: "canceled" | "timed_out" | "start_failed" | "executor_lost",
  message: string,
  at: Date,
  workspace: "whole" | "gone",
): Outcome {
  return {
    began: false,
    begunAt: null,
    endedAt: at,
    exitCode: null,
    reason,
    message,
    workspaceWhole: workspace === "whole",
    logBytes: 0,
    logDropped: 0,
    killedBy: null,
  };
}

/** Reads an outcome that was kept as JSON. */
export function reviveOutcome(text: string): Outcome {
  const kept: Omit<Outcome, "begunAt" | "endedAt"> & { begunAt: string | null; endedAt: string | null } =
    JSON.parse(text);
  const date = (value: string | null) => (value === null ? null : new Date(value));
  return { ...kept, begunAt: date(kept.begunAt), endedAt: date(kept.endedAt) };
}
