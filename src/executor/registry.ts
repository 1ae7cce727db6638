/**
 * One executor out of several. New runs go to the chosen one, and jobs of another one, accepted before the configuration
 * was changed, stay with that one, which opens when the first of its jobs is asked for.
 */
import type { JobId, Logger } from "../kernel/index.ts";
import type { Executor, ExecutorNotification } from "./types.ts";

export interface ExecutorRegistryOptions {
  readonly chosen: string;
  /** Opens the executor of each type. */
  readonly openers: Readonly<Record<string, () => Executor>>;
  /** The executor type of the run that the job belongs to; null: there is no such job. */
  readonly typeOf: (job: JobId) => Promise<string | null>;
  readonly log: Logger;
}

type Listener = (notification: ExecutorNotification) => void;

/** @throws Problem when the chosen executor cannot be opened */
export function createExecutorRegistry({ chosen, openers, typeOf, log }: ExecutorRegistryOptions): Executor {
  const opened = new Map<string, Executor>();
  const watchers = new Map<Listener, AbortSignal>();
  const typesOfJobs = new Map<JobId, string>();
  const first = open(chosen);

  function open(type: string): Executor {
    const known = opened.get(type);
    if (known !== undefined) return known;
    const opener = openers[type];
    if (opener === undefined) {
      log.error({ executor: type }, "a job's executor is not one of this server's");
      return first;
    }
    const executor = opener();
    opened.set(type, executor);
    for (const [listener, signal] of watchers) executor.watch(signal, listener);
    return executor;
  }

  /** Reads the type from the database once after a restart; until then `open` has noted it. */
  async function find(job: JobId): Promise<Executor> {
    const type = typesOfJobs.get(job) ?? (await typeOf(job)) ?? chosen;
    typesOfJobs.set(job, type);
    return open(type);
  }

  function note(job: { readonly jobId: JobId; readonly executorType?: string }): Executor {
    const type = job.executorType ?? chosen;
    typesOfJobs.set(job.jobId, type);
    return open(type);
  }

  return {
    type: chosen,
    admission: (job) => note(job).admission?.(job) ?? null,
    open: async (job) => note(job).open(job),
    submit: async (spec) => note(spec.job).submit(spec),
    status: async (handle) => (await find(handle.jobId)).status(handle),
    cancel: async (handle, cause, grace) => (await find(handle.jobId)).cancel(handle, cause, grace),
    outputs: async (spec, wanted, signal) => note(spec.job).outputs(spec, wanted, signal),
    async close(job) {
      await (await find(job.jobId)).close(job);
      typesOfJobs.delete(job.jobId);
    },
    async sweep(isOver) {
      const closed = await Promise.all([...opened.values()].map((one) => one.sweep?.(isOver) ?? []));
      return closed.flat();
    },
    watch(signal, listener) {
      if (signal.aborted) return;
      watchers.set(listener, signal);
      signal.addEventListener("abort", () => watchers.delete(listener), { once: true });
      for (const one of opened.values()) one.watch(signal, listener);
    },
    unsupported: (plan) => first.unsupported(plan),
    unavailableReason: () => first.unavailableReason(),
    async [Symbol.asyncDispose]() {
      for (const one of opened.values()) await one[Symbol.asyncDispose]();
    },
  };
}
