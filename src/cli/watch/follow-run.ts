/**
 * Follows a run to its end and tells a view about it in reading order: a group of steps is told when the one before it
 * has been told to its end, its logs included, so that a slow reader never sees the lines of two stages mixed.
 */
import { isFinalRun, isFinalStage } from "../../domain/index.ts";
import type { Clock } from "../../kernel/index.ts";
import type { Client, ExecutionDetail, RunDetail } from "../../services/index.ts";
import { RunModel, type WatchedStep } from "./run-model.ts";

/** What a view is told. Calls are in order and never overlap for one step. */
export interface RunView {
  /** The run has changed; `model` is live, not a copy. */
  changed(model: RunModel): void;
  started(step: WatchedStep): void;
  /** More of the log of an attempt at the step, as bytes; resolves when more may come. */
  log(step: WatchedStep, bytes: Uint8Array, attempt: ExecutionDetail): Promise<void>;
  /** The step is final and its log was told to its end. */
  ended(step: WatchedStep): void;
}

export interface FollowOptions {
  readonly client: Client;
  readonly run: RunDetail;
  readonly view: RunView;
  readonly clock: Clock;
  /** Ends the following, not the run. */
  readonly signal: AbortSignal;
  /** `live`: logs that had ended before they were first heard of are left out. */
  readonly logs: "complete" | "live" | "none";
  /** Whose logs are read; default: all steps'. */
  readonly wants?: (step: WatchedStep) => boolean;
}

/** A refresh costs the server a read of the whole run; it may take a tenth of the time. */
const REFRESH_SHARE = 10;
const MIN_REFRESH_PAUSE_MS = 20;
const MAX_REFRESH_PAUSE_MS = 2_000;
const RECONNECT_MS = 1_000;

/** @returns the run as it is at its end, or when the signal aborted. */
export async function followRun(options: FollowOptions): Promise<RunDetail> {
  return await new Follower(options).follow();
}

class Follower {
  readonly #options: FollowOptions;
  readonly #model: RunModel;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Steps before it were told to their end. */
  #cursor = 0;
  readonly #told = new Set<string>();
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
    await this.#guard(async () => {
      await this.#followEvents();
      await this.#refreshing;
      if (this.#signal.aborted) return;
      this.#model.replace(await client.get(this.#model.run.id));
      this.#tell();
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
    this.#tell();
    while (!isFinalRun(this.#model.run.status) && !this.#signal.aborted) {
      const before = this.#model.run.seq;
      for await (const event of client.events(this.#model.run.id, before, this.#signal)) {
        this.#model.apply(event);
        this.#tell();
        if (isFinalRun(this.#model.run.status) || this.#signal.aborted) return;
      }
      // The stream ended early; what was missed is in the next detail.
      if (this.#model.run.seq === before) await clock.sleep(RECONNECT_MS, this.#signal);
      if (this.#signal.aborted) return;
      this.#model.replace(await client.get(this.#model.run.id));
      this.#tell();
    }
  }

  /** Brings the view up to date with the model: as far as the reading order goes. */
  #tell(): void {
    this.#options.view.changed(this.#model);
    const { steps } = this.#model;
    for (;;) {
      const group = groupAt(steps, this.#cursor);
      if (group.length === 0) break;
      for (const step of group) this.#tellStep(step);
      if (!group.every(({ step }) => this.#ended.has(step.id))) break;
      this.#cursor += group.length;
    }
    if (this.#model.stale) this.#refresh();
  }

  #tellStep(watched: WatchedStep): void {
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
    if (this.#options.logs === "none" || execution.status === "pending" || this.#told.has(execution.id))
      return;
    this.#told.add(execution.id);
    if (this.#options.logs === "live" && execution.status !== "running") return;
    if (this.#options.wants?.(watched) === false) return;
    if (execution.log_bytes === 0 || execution.begun_at === null) return;
    const stepId = watched.step.id;
    this.#openLogs.set(stepId, (this.#openLogs.get(stepId) ?? 0) + 1);
    const done = this.#guard(() => this.#readLog(watched, execution)).then(() => {
      this.#openLogs.set(stepId, (this.#openLogs.get(stepId) ?? 1) - 1);
      this.#logs.delete(execution.id);
      this.#tell();
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
    this.#refreshing = this.#guard(async () => {
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
      if (!this.#signal.aborted) this.#tell();
    });
  }

  /** The first failure of what runs beside the events ends the following and is what `follow` throws. */
  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#signal.aborted) this.#failure ??= { error };
      this.#stop.abort();
    }
  }
}

/** The step at an index, and those of its parallel group that follow it. */
function groupAt(steps: readonly WatchedStep[], index: number): readonly WatchedStep[] {
  const first = steps[index];
  if (first === undefined) return [];
  let end = index + 1;
  const group = first.step.parallel_group;
  if (group !== null)
    while (steps[end]?.step.parallel_group === group && steps[end]?.job.id === first.job.id) end += 1;
  return steps.slice(index, end);
}
