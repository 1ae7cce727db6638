/**
 * The steerable double. State lives in a `FakeWorld`; a second instance over the same world plays a restart. It changes
 * state in the call that causes it and sends notifications in a later microtask, so a test that is driven by calls alone is
 * deterministic.
 */
import type { ExecutionSpec, Outcome } from "../../domain/index.ts";
import { type Clock, Problem, systemClock } from "../../kernel/index.ts";
import type { CancelCause, ExecutionHandle, Executor, ExecutorNotification } from "../types.ts";
import { behaviourOf, endedWell, type FakeScript, fakeOutcomes } from "./behaviour.ts";
import {
  createFakeWorld,
  executionKey,
  type FakeEvent,
  type FakeExecution,
  type FakeWorld,
  jobKey,
} from "./world.ts";

export interface FakeExecutorOptions {
  /** Shared by instances to play a restart. Default: a world of its own. */
  readonly world?: FakeWorld;
  readonly script?: FakeScript;
  readonly clock?: Clock;
  /** Thrown by `open` while it returns an error. */
  readonly openError?: () => Error | null;
  readonly unavailableReason?: () => string | null;
}

export interface FakeExecutor extends Executor {
  readonly world: FakeWorld;
  /** Lets the newest execution of the step named so begin (`hold: "before"`). */
  begin(name: string): void;
  /** Ends the newest execution of the step named so; begins it first unless the outcome says `began: false`. */
  finish(name: string, outcome?: Partial<Outcome>): void;
  /** Ends it with `executor_lost`, before or after its begin according to where it is. */
  lose(name: string): void;
  /** Sends a notification of that execution's state once more. */
  notify(name: string): void;
}

export function createFakeExecutor(options: FakeExecutorOptions = {}): FakeExecutor {
  const world = options.world ?? createFakeWorld();
  const clock = options.clock ?? systemClock;
  const me = Symbol("instance");
  let disposed = false;

  const note = (what: FakeEvent["what"], it: { jobId: string; attempt: number }, step: string | null) =>
    world.events.push({ what, jobId: it.jobId, step, attempt: it.attempt });

  function notify(
    it: FakeExecution,
    state: ExecutorNotification["state"],
    times = it.behaviour.notifications ?? 1,
  ): void {
    const notification = { executionId: it.handle.executionId, state };
    for (let n = 0; n < times; n++) {
      queueMicrotask(() => {
        for (const listener of world.listeners) listener(notification);
      });
    }
  }

  function begin(it: FakeExecution): void {
    if (it.status.state !== "waiting") return;
    const key = executionKey(it.handle);
    world.begins.set(key, (world.begins.get(key) ?? 0) + 1);
    it.status = { state: "begun", begunAt: clock.now() };
    note("begin", it.handle, it.name);
    notify(it, "begun");
  }

  function end(it: FakeExecution, over: Partial<Outcome>): void {
    if (it.status.state === "ended") return;
    if (over.began !== false) begin(it);
    const now = clock.now();
    const begunAt = it.status.state === "begun" ? it.status.begunAt : now;
    it.status = { state: "ended", outcome: endedWell(begunAt, now, over) };
    note("end", it.handle, it.name);
    notify(it, "ended");
    it.ended.resolve();
  }

  function newest(name: string): FakeExecution {
    const found = [...world.executions.values()].findLast((it) => it.name === name);
    if (found === undefined) throw new Error(`the fake executor has no execution of a step named ${name}`);
    return found;
  }

  const lose = (it: FakeExecution) =>
    end(it, it.status.state === "waiting" ? fakeOutcomes.lostBeforeBegin : fakeOutcomes.lostAfterBegin);

  /** The execution as this instance sees it, which after a restart is what its script says. */
  function look(handle: ExecutionHandle): FakeExecution | undefined {
    const it = world.executions.get(executionKey(handle));
    if (it === undefined || it.instance === me || it.status.state === "ended") return it;
    it.instance = me;
    if (it.behaviour.onRestart === "lose") lose(it);
    if (it.behaviour.onRestart === "forget") {
      world.executions.delete(executionKey(handle));
      return undefined;
    }
    return it;
  }

  async function submit(spec: ExecutionSpec): Promise<void> {
    if (disposed) throw new Problem("executor_failed", "The executor has been stopped.");
    if (!world.jobs.has(jobKey(spec.job))) {
      throw new Problem("executor_failed", `job ${spec.job.jobId} is not open`);
    }
    const handle: ExecutionHandle = {
      executionId: spec.executionId,
      stepId: spec.stepId,
      attempt: spec.attempt,
      jobId: spec.job.jobId,
      jobAttempt: spec.job.attempt,
    };
    if (look(handle) !== undefined) {
      note("reattach", handle, spec.name);
      return;
    }
    const nth = [...world.executions.values()].filter((it) => it.name === spec.name).length;
    const behaviour = behaviourOf(options.script ?? {}, spec.name, nth);
    if (behaviour.submitError !== undefined) throw behaviour.submitError;
    const it: FakeExecution = {
      handle,
      name: spec.name,
      behaviour,
      status: { state: "waiting" },
      instance: me,
      cancels: 0,
      ended: Promise.withResolvers<void>(),
    };
    world.executions.set(executionKey(handle), it);
    note("submit", handle, spec.name);
    if (behaviour.hold === "before") return;
    if (behaviour.hold === "after") begin(it);
    else end(it, behaviour.outcome ?? {});
  }

  async function cancel(handle: ExecutionHandle, cause: CancelCause): Promise<void> {
    const it = look(handle);
    if (it === undefined || it.status.state === "ended") return;
    it.cancels++;
    note("cancel", handle, it.name);
    if (it.behaviour.onCancel === "ignore once" && it.cancels === 1) return it.ended.promise;
    const began = it.status.state === "begun";
    end(it, {
      began,
      ...(began ? { killedBy: "session" } : { begunAt: null }),
      exitCode: null,
      reason: cause,
      message: cause === "canceled" ? "canceled" : "timed out",
      workspaceWhole: !began,
    });
  }

  return {
    type: "fake",
    world,
    async open(job) {
      const error = options.openError?.();
      if (error) throw error;
      if (world.jobs.has(jobKey(job))) return;
      world.jobs.set(jobKey(job), job);
      note("open", job, null);
    },
    submit,
    async status(handle) {
      return look(handle)?.status ?? { state: "unknown" };
    },
    cancel,
    async outputs(spec, wanted) {
      const scripted = world.executions.get(executionKey(spec))?.behaviour.outputs;
      if (scripted !== undefined) return scripted(wanted);
      return wanted.map((output) =>
        output.ref !== null
          ? { output, kind: "ref", ref: output.ref }
          : {
              output,
              kind: "missing",
              reason: "artifact_missing",
              message: `no file matches ${output.path}`,
            },
      );
    },
    async close(job) {
      for (const it of world.executions.values()) {
        if (it.handle.jobId === job.jobId && it.handle.jobAttempt === job.attempt) lose(it);
      }
      if (world.jobs.delete(jobKey(job))) note("close", job, null);
    },
    watch(signal, listener) {
      if (signal.aborted) return;
      world.listeners.add(listener);
      signal.addEventListener("abort", () => world.listeners.delete(listener), { once: true });
    },
    unsupported: (plan) =>
      plan.image === null ? [] : [`the fake executor does not use image ${JSON.stringify(plan.image)}`],
    async unavailableReason() {
      return options.unavailableReason?.() ?? null;
    },
    begin: (name) => begin(newest(name)),
    finish: (name, outcome) => {
      const it = newest(name);
      end(it, outcome ?? it.behaviour.outcome ?? {});
    },
    lose: (name) => lose(newest(name)),
    notify: (name) => {
      const it = newest(name);
      if (it.status.state === "begun" || it.status.state === "ended") notify(it, it.status.state, 1);
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
    },
  };
}
