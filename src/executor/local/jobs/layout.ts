/**
 * Layout of the executor's directory:
 * `<job id>.<attempt>/{workspace,tmp,artifacts,objects}`, `workers/<n>/{worker.json,setup,live,events,began,pid}` and
 * `steps/<step id>.<attempt>` beside `….{start lock,script,entry,masked,drained,cancel,outcome}`;
 * `homes/<project>/home`; `accounts/<name>`, the project that an account of the pool was given to last;
 * `trash/` for what is being removed. Everything that a restarted server needs is in these files.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { JobSpec } from "../../../domain/index.ts";
import { errorCode } from "../../../kernel/index.ts";
import type { ExecutionHandle } from "../../types.ts";
import type { Occupant } from "./accounts.ts";

export interface JobPaths {
  readonly key: string;
  readonly root: string;
  readonly workspace: string;
  readonly tmp: string;
  readonly artifacts: string;
  /** Objects of the workspace's `.git` for another account: the server's files, which it may read. */
  readonly objects: string;
  readonly workers: string;
  readonly steps: string;
  /** Written when checkout and inputs are complete: `JobRecord`. */
  readonly record: string;
}

/** Record in a job attempt's directory. */
export interface JobRecord {
  readonly bootId: string;
  readonly source: "tree" | "none";
  /** Absent: of an earlier version, which had one account and one HOME. */
  readonly occupant?: Occupant;
}

export interface StepPaths {
  /** `<step id>.<attempt>`, what the FIFO carries. */
  readonly name: string;
  /** The step script; what its two readers have to tell is appended to it, so that a step costs few new files. */
  readonly file: string;
  readonly startLock: string;
  /** The user's script, when it is too long for an argument or its shell is not the default. */
  readonly script: string;
  /** Commands that a step's account reads before it becomes the user's shell: see `entryText`. */
  readonly entry: string;
  /** Values to be masked in the log, where there are any. */
  readonly masked: string;
  readonly drained: string;
  readonly cancel: string;
  readonly outcome: string;
}

export function jobPaths(directory: string, job: Pick<JobSpec, "jobId" | "attempt">): JobPaths {
  const key = `${job.jobId}.${job.attempt}`;
  const root = join(directory, key);
  return {
    key,
    root,
    workspace: join(root, "workspace"),
    tmp: join(root, "tmp"),
    artifacts: join(root, "artifacts"),
    objects: join(root, "objects"),
    workers: join(root, "workers"),
    steps: join(root, "steps"),
    record: join(root, "job.json"),
  };
}

export function stepPaths(job: JobPaths, step: Pick<ExecutionHandle, "stepId" | "attempt">): StepPaths {
  const name = `${step.stepId}.${step.attempt}`;
  const file = `${job.steps}/${name}`;
  return {
    name,
    file,
    startLock: `${file}.lock`,
    script: `${file}.script`,
    entry: `${file}.entry`,
    masked: `${file}.masked`,
    drained: `${file}.drained`,
    cancel: `${file}.cancel`,
    outcome: `${file}.outcome`,
  };
}

/**
 * Mark of a job attempt that was opened here. It lies beside the directory and not in it, so a directory that vanished
 * differs from one that never was. Empty while the job is being opened, when there may be no directory yet.
 */
export function openedMark(directory: string, job: Pick<JobSpec, "jobId" | "attempt">): string {
  return join(directory, "opened", `${job.jobId}.${job.attempt}`);
}

/** Makes the directories beside the jobs, again if they are missing: steps run under our account and can remove them. */
export function makeHome(directory: string): void {
  makeDirectory(join(directory, "opened"));
  makeDirectory(join(directory, "trash"));
}

/** Not `recursive`: where the kernel answers ENOENT to a mkdir in an existing directory (/proc), Node would loop. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process on this data directory was quicker.
    if (errorCode(error) !== "EEXIST") throw error;
  }
}

/** A file's text, or null when it or its directory is not there. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}

/** A terminated line, or null: what has no newline yet is still being written. */
export function readLine(path: string): string | null {
  const text = readIfThere(path);
  const end = text?.indexOf("\n") ?? -1;
  return text === null || end < 0 ? null : text.slice(0, end);
}
