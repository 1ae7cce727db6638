/** Secrets while keys are changed beside them: none is ever sealed with a key that is gone. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PipelineId } from "../../src/kernel/index.ts";
import { stepPlan } from "./fixture.ts";
import { createServiceBench, type ServiceBench } from "./operations-bench.ts";

let bench: ServiceBench;
let project: string;
beforeAll(async () => {
  bench = await createServiceBench();
  ({ project } = await bench.team("ours"));
});
afterAll(() => bench[Symbol.asyncDispose]());

it("many changes of keys and many secrets at once leave every secret openable", async () => {
  const { secrets } = bench.local;
  const work: Promise<unknown>[] = [];
  for (let round = 0; round < 12; round += 1) {
    work.push(secrets.rotate());
    for (let one = 0; one < 5; one += 1) work.push(secrets.put(project, `S${one}`, `value ${round}.${one}`));
  }
  await Promise.all(work);
  // What cannot be opened stops a change.
  const { reencrypted } = await secrets.rotate();
  expect(reencrypted).toBe(6);
  expect((await secrets.list(project)).map(({ name }) => name)).toEqual([
    "KEY",
    "S0",
    "S1",
    "S2",
    "S3",
    "S4",
  ]);
});

it("values that were replaced or removed stay while a run that began before them is not over", async () => {
  const { local, fixture } = bench;
  const { project: theirs, pipeline } = await bench.team("theirs");
  await local.secrets.put(theirs, "KEY", "the second");
  await local.secrets.rotate();
  await local.secrets.remove(theirs, "KEY");
  const { id } = await fixture.store.runs.accept(
    { ...fixture.newRun, pipelineId: pipeline as PipelineId },
    () => [{ type: "build", steps: [stepPlan("make")] }],
  );
  const kept = async () => {
    await fixture.store.secrets.purgeRetired();
    return (await fixture.store.secrets.ofRun(id, ["KEY"])).map(({ retired }) => retired !== null);
  };
  const retire = (ago: string) =>
    fixture.database.execute("update retired_secrets set retired_at = now() - $1::interval", [ago]);
  expect(await kept()).toEqual([true, true]);
  await fixture.database.execute(
    "update pipeline_runs set created_at = now() - interval '1 hour' where id = $1::uuid",
    [id],
  );
  await retire("10 minutes");
  expect(await kept()).toEqual([true, true]);
  await retire("2 hours");
  expect(await kept()).toEqual([]);
});
