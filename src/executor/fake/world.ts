/** State that outlives an instance of the fake executor, as files and processes outlive a server. */
import type { ExecutionStatus, JobSpec } from "../../domain/index.ts";
import type { ExecutionHandle, ExecutorNotification } from "../types.ts";
import type { FakeBehaviour } from "./behaviour.ts";

/** Something that was asked or happened, in order; `step` is the step's name where there is one. */
export interface FakeEvent {
  readonly what: "open" | "close" | "submit" | "reattach" | "begin" | "end" | "cancel";
  readonly jobId: string;
  readonly step: string | null;
  readonly attempt: number;
}

export interface FakeExecution {
  readonly handle: ExecutionHandle;
  readonly name: string;
  readonly behaviour: FakeBehaviour;
  status: ExecutionStatus;
  /** The instance that submitted it; another one that looks at it has been restarted. */
  instance: symbol;
  cancels: number;
  readonly ended: PromiseWithResolvers<void>;
}

export interface FakeWorld {
  readonly jobs: Map<string, Pick<JobSpec, "jobId" | "attempt">>;
  /** By `stepId.attempt`. */
  readonly executions: Map<string, FakeExecution>;
  /** Number of begins of `stepId.attempt`: more than one breaks promise 2. */
  readonly begins: Map<string, number>;
  readonly events: FakeEvent[];
  readonly listeners: Set<(notification: ExecutorNotification) => void>;
}

export function createFakeWorld(): FakeWorld {
  return { jobs: new Map(), executions: new Map(), begins: new Map(), events: [], listeners: new Set() };
}

export const jobKey = (job: Pick<JobSpec, "jobId" | "attempt">): string => `${job.jobId}.${job.attempt}`;
export const executionKey = (handle: Pick<ExecutionHandle, "stepId" | "attempt">): string =>
  `${handle.stepId}.${handle.attempt}`;
