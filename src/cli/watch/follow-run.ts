/**
 * Follows a run to its end and updates a view in reading order. A group of steps is shown after the previous group and its
 * logs are complete, so that the lines of two stages are never mixed.
 */
import { isFinalRun, isFinalStage } from "../../domain/index.ts";
import type { Clock } from "../../kernel/index.ts";
import type { Client, ExecutionDetail, RunDetail } from "../../services/index.ts";
import { RunModel, type WatchedStep } from "./run-model.ts";

/** Receiver of updates. Calls are in order and never overlap for one step. */
export interface RunView {
  /** Reports a change of the run. `model` is live and not a copy. */
  changed(model: RunModel): void;
  started(step: WatchedStep): void;
  /** Receives bytes of the log of an execution, and resolves when it can receive more. */
  log(step: WatchedStep, bytes: Uint8Array, attempt: ExecutionDetail): Promise<void>;
  /** Reports the end of the step after all of its log. */
  ended(step: WatchedStep): void;
}

export interface FollowOptions {
  readonly client: Client;
  readonly run: RunDetail;
  readonly view: RunView;
  readonly clock: Clock;
  /** Stops following. The run continues. */
  readonly signal: AbortSignal;
  /** `live` leaves out logs of executions that had ended before. */
  readonly logs: "complete" | "live" | "none";
  /** Selects the steps whose logs are read. Default: all. */
  readonly includes?: (step: WatchedStep) => boolean;
}

/** Divisor of the time that refreshes may take, because each one reads the whole run. */
const REFRESH_SHARE = 10;
const MIN_REFRESH_PAUSE_MS = 20;
const MAX_REFRESH_PAUSE_MS = 2_000;
const RECONNECT_MS = 1_000;

/** @returns the run at its end, or when the signal aborts */
export async function followRun(options: FollowOptions): Promise<RunDetail> {
  return await new Follower(options).follow();
}

class Follower {
  readonly #options: FollowOptions;
  readonly #model: RunModel;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Index of the first step that is not complete in the view. */
  #cursor = 0;
  readonly #followedLogs = new Set<string>();
  readonly #started = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #logs = new Map<string, Promise<void>>();
  readonly #openLogs = new Map<string, number>();
  #refreshing: Promise<void> | null = null;
  #refreshPauseMs = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#model = new RunModel(options.run);
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  async follow(): Promise<RunDetail> {
    const { client, view } = this.#options;
    await this.#stopOnFailure(async () => {
      await this.#followEvents();
      await this.#refreshing;
      if (this.#signal.aborted) return;
      this.#model.replace(await client.get(this.#model.run.id));
      this.#updateView();
      while (this.#logs.size > 0) await Promise.all(this.#logs.values());
    });
    this.#stop.abort();
    await this.#refreshing;
    if (this.#failure !== null) throw this.#failure.error;
    view.changed(this.#model);
    return this.#model.run;
  }

  async #followEvents(): Promise<void> {
    const { client, clock } = this.#options;
    this.#updateView();
    while (!isFinalRun(this.#model.run.status) && !this.#signal.aborted) {
      const before = this.#model.run.seq;
      for await (const event of client.events(this.#model.run.id, before, this.#signal)) {
        this.#model.apply(event);
        this.#updateView();
        if (isFinalRun(this.#model.run.status) || this.#signal.aborted) return;
      }
      // The stream ended early. The next detail contains the missed events.
      if (this.#model.run.seq === before) await clock.sleep(RECONNECT_MS, this.#signal);
      if (this.#signal.aborted) return;
      this.#model.replace(await client.get(this.#model.run.id));
      this.#updateView();
    }
  }

  /** Updates the view from the model as far as the reading order allows. */
  #updateView(): void {
    this.#options.view.changed(this.#model);
    const { steps } = this.#model;
    for (;;) {
      const group = groupAt(steps, this.#cursor);
      if (group.length === 0) break;
      for (const step of group) this.#updateStep(step);
      if (!group.every(({ step }) => this.#ended.has(step.id))) break;
      this.#cursor += group.length;
    }
    if (this.#model.stale) this.#refresh();
  }

  #updateStep(watched: WatchedStep): void {
    const { step } = watched;
    if (step.status === "pending" || this.#ended.has(step.id)) return;
    const everRan = step.started_at !== null || step.executions.length > 0;
    if (everRan && !this.#started.has(step.id)) {
      this.#started.add(step.id);
      this.#options.view.started(watched);
    }
    for (const execution of step.executions) this.#followLog(watched, execution);
    if (!this.#model.isComplete(watched)) {
      this.#refresh();
      return;
    }
    if (!isFinalStage(step.status) || (this.#openLogs.get(step.id) ?? 0) > 0) return;
    this.#ended.add(step.id);
    this.#options.view.ended(watched);
  }

  #followLog(watched: WatchedStep, execution: ExecutionDetail): void {
    if (
      this.#options.logs === "none" ||
      execution.status === "pending" ||
      this.#followedLogs.has(execution.id)
    )
      return;
    this.#followedLogs.add(execution.id);
    if (this.#options.logs === "live" && execution.status !== "running") return;
    if (this.#options.includes?.(watched) === false) return;
    if (execution.log_bytes === 0 || execution.begun_at === null) return;
    const stepId = watched.step.id;
    this.#openLogs.set(stepId, (this.#openLogs.get(stepId) ?? 0) + 1);
    const done = this.#stopOnFailure(() => this.#readLog(watched, execution)).then(() => {
      this.#openLogs.set(stepId, (this.#openLogs.get(stepId) ?? 1) - 1);
      this.#logs.delete(execution.id);
      this.#updateView();
    });
    this.#logs.set(execution.id, done);
  }

  async #readLog(watched: WatchedStep, attempt: ExecutionDetail): Promise<void> {
    const { client, view } = this.#options;
    const request = { executionId: attempt.id, offset: 0, follow: true };
    for await (const chunk of client.log(request, this.#signal))
      await view.log(watched, chunk.bytes, attempt);
  }

  #refresh(): void {
    if (this.#refreshing !== null || this.#signal.aborted) return;
    const { client, clock } = this.#options;
    this.#refreshing = this.#stopOnFailure(async () => {
      await clock.sleep(this.#refreshPauseMs, this.#signal);
      if (this.#signal.aborted) return;
      const begin = clock.monotonic();
      const detail = await client.get(this.#model.run.id);
      const cost = clock.monotonic() - begin;
      this.#refreshPauseMs = Math.min(
        MAX_REFRESH_PAUSE_MS,
        Math.max(MIN_REFRESH_PAUSE_MS, cost * REFRESH_SHARE),
      );
      this.#model.replace(detail);
    }).then(() => {
      this.#refreshing = null;
      if (!this.#signal.aborted) this.#updateView();
    });
  }

  /** Runs background work. Its first failure stops following, and `follow` throws it. */
  async #stopOnFailure(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#signal.aborted) this.#failure ??= { error };
      this.#stop.abort();
    }
  }
}

/** The step at an index and the following steps of its parallel group. */
function groupAt(steps: readonly WatchedStep[], index: number): readonly WatchedStep[] {
  const first = steps[index];
  if (first === undefined) return [];
  let end = index + 1;
  const group = first.step.parallel_group;
  if (group !== null)
    while (steps[end]?.step.parallel_group === group && steps[end]?.job.id === first.job.id) end += 1;
  return steps.slice(index, end);
}
