/**
 * One executor out of several: new runs go to the chosen one, and what another one was given, before the configuration was
 * changed, stays with that one.
 */
import type { JobId, Logger } from "../kernel/index.ts";
import type { Executor } from "./types.ts";

export interface ExecutorsByType {
  readonly chosen: Executor;
  readonly others: readonly Executor[];
  /** The executor type of the run that the job belongs to; null: there is no such job. */
  readonly typeOf: (job: JobId) => Promise<string | null>;
  readonly log: Logger;
}

export function createExecutorByType({ chosen, others, typeOf, log }: ExecutorsByType): Executor {
  const all = new Map([chosen, ...others].map((one) => [one.type, one]));
  const known = new Map<JobId, Executor>();

  function of(type: string | null | undefined, job: JobId): Executor {
    const found = type === null || type === undefined ? chosen : all.get(type);
    if (found === undefined)
      log.error({ job_id: job, executor: type }, "a job's executor is not one of this server's");
    return found ?? chosen;
  }

  /** Asked of the database once, after a restart; else its opening has said it. */
  async function find(job: JobId): Promise<Executor> {
    const before = known.get(job);
    if (before !== undefined) return before;
    const found = of(await typeOf(job), job);
    known.set(job, found);
    return found;
  }

  function note(job: { readonly jobId: JobId; readonly executorType?: string }): Executor {
    const found = of(job.executorType, job.jobId);
    known.set(job.jobId, found);
    return found;
  }

  return {
    type: chosen.type,
    admission: (job) => note(job).admission?.(job) ?? null,
    open: (job) => note(job).open(job),
    submit: (spec) => note(spec.job).submit(spec),
    status: async (handle) => (await find(handle.jobId)).status(handle),
    cancel: async (handle, cause, grace) => (await find(handle.jobId)).cancel(handle, cause, grace),
    outputs: (spec, wanted, signal) => note(spec.job).outputs(spec, wanted, signal),
    async close(job) {
      await (await find(job.jobId)).close(job);
      known.delete(job.jobId);
    },
    watch(signal, listener) {
      for (const one of all.values()) one.watch(signal, listener);
    },
    ignores: (plan) => chosen.ignores(plan),
    refusal: () => chosen.refusal(),
    async [Symbol.asyncDispose]() {
      for (const one of all.values()) await one[Symbol.asyncDispose]();
    },
  };
}
