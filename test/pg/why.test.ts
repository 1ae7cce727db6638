/** Why a run is where it is: read by few statements, and told in few causes, however many steps it has. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { advance, runSnapshot, stepPlan } from "./fixture.ts";
import { createServiceBench, type ServiceBench } from "./operations-bench.ts";

let bench: ServiceBench;
beforeAll(async () => {
  bench = await createServiceBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

async function runOf(count: number, parallelLimit = count): Promise<string> {
  const { fixture } = bench;
  const group = Array.from({ length: count }, (_, at) => stepPlan(`step-${at}`, { parallelGroup: "all" }));
  const run = await fixture.store.runs.accept({ ...fixture.newRun, config: null }, () => [
    { type: "build", steps: group },
  ]);
  while ((await runSnapshot(fixture.store, run.id)).executions.length < parallelLimit)
    if (!(await advance(fixture, run.id, { parallelLimit }))) break;
  return run.id;
}

it("names the twenty steps that began first, and how many more there are", async () => {
  const run = await runOf(200);
  const { summary, causes } = await bench.local.why(run);
  expect(causes.slice(0, 20).map(({ message }) => message)).toEqual(
    Array.from({ length: 20 }, () => expect.stringMatching(/^step step-\d+ is running$/)),
  );
  expect(causes.slice(20)).toEqual([
    { code: "step_running", message: "and 180 more steps", entity: "run", entity_id: run, since: null },
  ]);
  expect(summary.length).toBeLessThan(1_000);
});

it("names all of a few", async () => {
  const { causes } = await bench.local.why(await runOf(2));
  expect(causes.map(({ message }) => message).toSorted()).toEqual([
    "step step-0 is running",
    "step step-1 is running",
  ]);
});

it("counts the steps of a parallel group that wait for others of it", async () => {
  const { summary } = await bench.local.why(await runOf(5, 2));
  expect(summary).toMatch(
    /^(step step-[01] is running; ){2}3 more of the parallel group wait until others of it have ended \(parallel_limit\)$/,
  );
});
