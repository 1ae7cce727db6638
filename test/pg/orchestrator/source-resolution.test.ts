import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Problem, type RunId } from "../../../src/kernel/index.ts";
import type { ResolvedRun } from "../../../src/store/index.ts";
import { createFixture, type Fixture, resolvedCommit, stepPlan } from "../fixture.ts";
import { type Bench, createBench, type Process } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const resolved: ResolvedRun = {
  ...resolvedCommit,
  jobs: [{ type: "build", steps: [stepPlan("a")] }],
};

async function submit({ owner }: Process): Promise<RunId> {
  return (await fixture.store.runs.submit({ ...fixture.newRun, gitRef: "main", gitSha: null, owner })).id;
}

async function begin(bench: Bench, process: Process): Promise<RunId> {
  const runId = await submit(process);
  await process.own(runId);
  await bench.quiet();
  return runId;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

describe("a run that is accepted unresolved", () => {
  it("is resolved by its owner, and goes on at once", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ deps: { resolver: { resolve: async () => resolved } } });
    const runId = await begin(bench, process);
    expect(await bench.view(runId)).toMatchObject({ status: "success", steps: { a: "succeeded" } });
    expect(await fixture.store.runs.get(runId)).toMatchObject({
      git_sha: "c".repeat(40),
      tree: "d".repeat(40),
    });
    const history = await fixture.store.transitions.after(runId, 0, 100);
    expect(history.map(({ seq }) => seq)).toEqual(history.map((_, index) => index + 1));
    expect(history.filter(({ cause }) => cause === "resolved").map(({ entity }) => entity)).toEqual([
      "run",
      "job",
    ]);
  });

  it.each([
    ["config_invalid", "config_invalid"],
    ["ref_not_found", "source_unavailable"],
    ["source_refused", "source_unavailable"],
  ] as const)("fails at once with what will not change by waiting: %s", async (code, reason) => {
    await using bench = await createBench(fixture);
    const resolve = async () => {
      throw new Problem(code, "it is not there", { remedy: "make it" });
    };
    const runId = await begin(bench, await bench.process({ deps: { resolver: { resolve } } }));
    const message = "it is not there; make it";
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason, message });
  });

  it("waits for a repository that is away, says so, and fails at its deadline", async () => {
    await using bench = await createBench(fixture);
    let away = true;
    const process = await bench.process({
      deps: {
        resolver: {
          async resolve() {
            if (away) throw new Problem("source_unavailable", "no route to the host");
            return resolved;
          },
        },
      },
    });
    const [runId, late] = [await begin(bench, process), await begin(bench, process)];
    await bench.resync();
    expect((await bench.view(runId)).status).toBe("pending");
    expect(process.orchestrator.resolveError(runId)).toBe("no route to the host");
    away = false;
    await bench.resync();
    expect((await bench.view(runId)).status).toBe("success");
    expect((await bench.view(late)).status).toBe("success");
    away = true;
    const never = await begin(bench, process);
    bench.clock.advance(600_000);
    await bench.quiet();
    expect(await bench.view(never)).toMatchObject({ status: "failed", reason: "source_unavailable" });
  });

  it("ends at once when it is canceled, and what comes too late changes nothing", async () => {
    await using bench = await createBench(fixture);
    const found = Promise.withResolvers<ResolvedRun>();
    const process = await bench.process({ deps: { resolver: { resolve: () => found.promise } } });
    const runId = await submit(process);
    await process.own(runId);
    await fixture.store.runs.requestCancel(runId, "ann");
    await process.orchestrator.enqueue(runId);
    expect(await bench.view(runId)).toMatchObject({ status: "canceled", reason: "canceled" });
    found.resolve(resolved);
    await bench.quiet();
    expect(await bench.view(runId)).toMatchObject({ status: "canceled", jobs: {} });
  });

  it("is resolved by another process when its own dies meanwhile; the zombie changes nothing", async () => {
    await using bench = await createBench(fixture);
    const found = Promise.withResolvers<ResolvedRun>();
    const first = await bench.process({ deps: { resolver: { resolve: () => found.promise } } });
    const second = await bench.process({ deps: { resolver: { resolve: async () => resolved } } });
    const runId = await submit(first);
    await first.own(runId);
    first.gate.freezeAfter(0);
    await bench.takeOwnership(runId, first, second);
    expect((await bench.view(runId)).status).toBe("success");
    found.resolve({ ...resolved, gitSha: "e".repeat(40) });
    first.gate.thaw();
    await bench.quiet();
    expect((await fixture.store.runs.get(runId))?.git_sha).toBe("c".repeat(40));
    expect([...bench.world.begins.values()]).toEqual([1]);
  });

  it("is resolved beside three others at most, however many come at once; one that is canceled makes room", async () => {
    await using bench = await createBench(fixture);
    let now = 0;
    let most = 0;
    const open = Promise.withResolvers<void>();
    const process = await bench.process({
      slots: 50,
      deps: {
        resolver: {
          async resolve(_run, signal) {
            now += 1;
            most = Math.max(most, now);
            await Promise.race([open.promise, aborted(signal)]);
            now -= 1;
            return resolved;
          },
        },
      },
    });
    const runs: RunId[] = [];
    for (let count = 0; count < 12; count += 1) {
      const runId = await submit(process);
      await process.own(runId);
      runs.push(runId);
    }
    for (const canceled of runs.slice(0, 6)) {
      await fixture.store.runs.requestCancel(canceled, "ann");
      await process.orchestrator.enqueue(canceled);
    }
    open.resolve();
    await bench.quiet();
    const statuses = await Promise.all(runs.map(async (runId) => (await bench.view(runId)).status));
    expect(statuses).toEqual([...Array(6).fill("canceled"), ...Array(6).fill("success")]);
    expect(most).toBe(4);
  });

  it("is left alone by a process that only observes", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ idle: true });
    const runId = await submit(process);
    await process.orchestrator.observe(runId);
    expect((await bench.view(runId)).status).toBe("pending");
  });

  it("counts its deadline from the accept, also after a restart", async () => {
    await using bench = await createBench(fixture);
    const resolve = async () => {
      throw new Problem("source_unavailable", "no route to the host");
    };
    const process = await bench.process({ deps: { resolver: { resolve } } });
    const runId = await submit(process);
    await fixture.database.execute(
      "update pipeline_runs set created_at = now() - interval '9 minutes 30 seconds' where id = $1::uuid",
      [runId],
    );
    await process.own(runId);
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("pending");
    // Whoever comes late tries for a minute all the same.
    for (let resyncs = 0; resyncs < 4; resyncs += 1) await bench.resync();
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "source_unavailable",
      message: expect.stringContaining("no route to the host"),
    });
  });

  it("ends a try that goes on beyond the deadline", async () => {
    await using bench = await createBench(fixture);
    let aborted = false;
    const process = await bench.process({
      deps: {
        resolver: {
          resolve: (_run, signal) =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => {
                aborted = true;
                reject(signal.reason);
              });
            }),
        },
      },
    });
    const runId = await submit(process);
    await process.own(runId);
    while (process.gate.calls.get("resolver.resolve") !== 1) await turn();
    bench.clock.advance(599_000);
    await turn();
    expect(aborted).toBe(false);
    bench.clock.advance(2_000);
    await bench.quiet();
    expect(aborted).toBe(true);
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "source_unavailable",
      message: expect.stringContaining("within 10 minutes"),
    });
  });

  it.each(["stop", "cancel"] as const)("ends what is under way at a %s", async (how) => {
    await using bench = await createBench(fixture);
    const ended = Promise.withResolvers<void>();
    const process = await bench.process({
      deps: {
        resolver: {
          resolve: (_run, signal) =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => {
                ended.resolve();
                reject(signal.reason);
              });
            }),
        },
      },
    });
    const runId = await submit(process);
    await process.own(runId);
    while (process.gate.calls.get("resolver.resolve") !== 1) await turn();
    if (how === "stop") await process.stop();
    else {
      await fixture.store.runs.requestCancel(runId, "ann");
      await process.orchestrator.enqueue(runId);
    }
    await ended.promise;
    expect((await bench.view(runId)).status).toBe(how === "stop" ? "pending" : "canceled");
  });

  it("is not held up by others whose repository does not answer", async () => {
    await using bench = await createBench(fixture);
    const hung = new Set<RunId>();
    const silence = Promise.withResolvers<ResolvedRun>();
    const process = await bench.process({
      deps: {
        resolver: { resolve: (run) => (hung.has(run.id) ? silence.promise : Promise.resolve(resolved)) },
      },
    });
    for (let index = 0; index < 6; index += 1) {
      const runId = await submit(process);
      hung.add(runId);
      await process.own(runId);
    }
    const runId = await submit(process);
    await process.own(runId);
    while (process.gate.calls.get("resolver.resolve") !== 4) await turn();
    expect((await bench.view(runId)).status).toBe("pending");
    bench.clock.advance(5_000);
    while ((await bench.view(runId)).status !== "success") await turn();
    silence.resolve(resolved);
    await bench.quiet();
  });
});
