/** What every executor must do, whatever carries out its steps. */
import { describe, expect, it } from "vitest";
import type { ExecutionSpec, ExecutionStatus, JobSpec, Outcome } from "../../../src/domain/index.ts";
import type { Executor, ExecutorNotification } from "../../../src/executor/index.ts";
import { Problem } from "../../../src/kernel/index.ts";
import { handleOf, jobOf, specOf } from "./specs.ts";

export interface Bench extends AsyncDisposable {
  readonly executor: Executor;
  /** The step succeeds at once, fails with status 3 at once, or begins and stays until it is canceled. */
  spec(job: JobSpec, kind: "succeed" | "fail" | "stay"): ExecutionSpec;
  /** Another instance in the place of the first, as after a restart. */
  restart(): Promise<Executor>;
}

const open = async (bench: Bench) => {
  const job = jobOf();
  await bench.executor.open(job);
  return job;
};

/** Subscribes before it looks, so that no notification is missed. */
async function reach(
  executor: Executor,
  spec: ExecutionSpec,
  state: "begun" | "ended",
): Promise<ExecutionStatus> {
  const abort = new AbortController();
  try {
    const notification = Promise.withResolvers<ExecutorNotification>();
    executor.watch(abort.signal, (it) => {
      if (it.executionId === spec.executionId && (it.state === state || it.state === "ended"))
        notification.resolve(it);
    });
    const now = await executor.status(handleOf(spec));
    if (now.state === state || now.state === "ended") return now;
    await notification.promise;
    return await executor.status(handleOf(spec));
  } finally {
    abort.abort();
  }
}

async function outcome(executor: Executor, spec: ExecutionSpec): Promise<Outcome> {
  const status = await reach(executor, spec, "ended");
  if (status.state !== "ended") throw new Error(`it is ${status.state}`);
  return status.outcome;
}

export function executorConformance(name: string, makeBench: () => Promise<Bench>): void {
  describe(`the ${name} executor keeps the contract`, () => {
    it("runs a step to its success", async () => {
      await using bench = await makeBench();
      const spec = bench.spec(await open(bench), "succeed");
      await bench.executor.submit(spec);
      expect(await outcome(bench.executor, spec)).toMatchObject({
        began: true,
        exitCode: 0,
        reason: null,
        killedBy: null,
      });
    });

    it("reports a failing script with its exit status, and that user code ran", async () => {
      await using bench = await makeBench();
      const spec = bench.spec(await open(bench), "fail");
      await bench.executor.submit(spec);
      const it = await outcome(bench.executor, spec);
      expect(it).toMatchObject({ began: true, exitCode: 3, reason: "script_failed", workspaceWhole: false });
      expect(it.begunAt).toBeInstanceOf(Date);
      expect(it.endedAt).toBeInstanceOf(Date);
    });

    it("opens a job once: a second open re-attaches to the workspace", async () => {
      await using bench = await makeBench();
      const job = await open(bench);
      const spec = bench.spec(job, "stay");
      await bench.executor.submit(spec);
      await reach(bench.executor, spec, "begun");
      await bench.executor.open(job);
      expect(await bench.executor.status(handleOf(spec))).toMatchObject({ state: "begun" });
    });

    it("submits once: a second submit re-attaches to the first, running or ended", async () => {
      await using bench = await makeBench();
      const job = await open(bench);
      const running = bench.spec(job, "stay");
      await bench.executor.submit(running);
      const begun = await reach(bench.executor, running, "begun");
      await bench.executor.submit(running);
      expect(await bench.executor.status(handleOf(running))).toEqual(begun);
      await bench.executor.cancel(handleOf(running), "canceled", 5);
      const ended = await bench.executor.status(handleOf(running));
      await bench.executor.submit(running);
      expect(await bench.executor.status(handleOf(running))).toEqual(ended);
    });

    it("refuses a step whose job is not open, and nothing begins", async () => {
      await using bench = await makeBench();
      const spec = bench.spec(jobOf(), "succeed");
      await expect(bench.executor.submit(spec)).rejects.toThrow(Problem);
      expect(await bench.executor.status(handleOf(spec))).toEqual({ state: "unknown" });
    });

    it("knows nothing of what it was never given, and a cancel of it is no error", async () => {
      await using bench = await makeBench();
      const spec = bench.spec(jobOf(), "succeed");
      await bench.executor.cancel(handleOf(spec), "canceled", 1);
      expect(await bench.executor.status(handleOf(spec))).toEqual({ state: "unknown" });
    });

    for (const cause of ["canceled", "timed_out"] as const) {
      it(`ends a running step: ${cause}; a repeated cancel changes nothing`, async () => {
        await using bench = await makeBench();
        const spec = bench.spec(await open(bench), "stay");
        await bench.executor.submit(spec);
        await reach(bench.executor, spec, "begun");
        await Promise.all([
          bench.executor.cancel(handleOf(spec), cause, 5),
          bench.executor.cancel(handleOf(spec), cause, 5),
        ]);
        const first = await bench.executor.status(handleOf(spec));
        expect(first).toMatchObject({
          state: "ended",
          outcome: { began: true, reason: cause, workspaceWhole: false },
        });
        await bench.executor.cancel(handleOf(spec), "canceled", 0);
        expect(await bench.executor.status(handleOf(spec))).toEqual(first);
      });
    }

    it("leaves a success that was proven before the cancel", async () => {
      await using bench = await makeBench();
      const spec = bench.spec(await open(bench), "succeed");
      await bench.executor.submit(spec);
      const before = await outcome(bench.executor, spec);
      await bench.executor.cancel(handleOf(spec), "canceled", 1);
      expect(await outcome(bench.executor, spec)).toEqual(before);
    });

    it("says the same of an ended step after a restart", async () => {
      await using bench = await makeBench();
      const spec = bench.spec(await open(bench), "fail");
      await bench.executor.submit(spec);
      const { endedAt: _, ...before } = await outcome(bench.executor, spec);
      expect(await outcome(await bench.restart(), spec)).toMatchObject(before);
    });

    it("re-attaches to a running step after a restart and can still end it", async () => {
      await using bench = await makeBench();
      const spec = bench.spec(await open(bench), "stay");
      await bench.executor.submit(spec);
      const before = await reach(bench.executor, spec, "begun");
      const executor = await bench.restart();
      expect(await executor.status(handleOf(spec))).toEqual(before);
      await executor.cancel(handleOf(spec), "canceled", 5);
      expect(await outcome(executor, spec)).toMatchObject({ began: true, reason: "canceled" });
    });

    it("forgets a job that was closed, twice if asked", async () => {
      await using bench = await makeBench();
      const job = await open(bench);
      const spec = bench.spec(job, "succeed");
      await bench.executor.submit(spec);
      await outcome(bench.executor, spec);
      await bench.executor.close(job);
      await bench.executor.close(job);
      await expect(bench.executor.submit(bench.spec(job, "succeed"))).rejects.toThrow(Problem);
    });

    it("stops hinting when the watch is aborted", async () => {
      await using bench = await makeBench();
      const abort = new AbortController();
      const heard: ExecutorNotification[] = [];
      bench.executor.watch(abort.signal, (notification) => heard.push(notification));
      abort.abort();
      const spec = bench.spec(await open(bench), "succeed");
      await bench.executor.submit(spec);
      await outcome(bench.executor, spec);
      expect(heard).toEqual([]);
    });

    it("says what of a plan it does not do", async () => {
      await using bench = await makeBench();
      const plan = specOf(jobOf(), "true", { image: "debian:12" });
      expect(bench.executor.unsupported(plan)).toEqual([expect.stringContaining('"debian:12"')]);
      expect(bench.executor.unsupported({ ...plan, image: null })).toEqual([]);
    });
  });
}
