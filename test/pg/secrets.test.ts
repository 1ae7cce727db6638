/** Secrets while keys are changed beside them: none is ever sealed with a key that is gone. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { createOperationsBench, type OperationsBench } from "./operations-bench.ts";

let bench: OperationsBench;
let project: string;
beforeAll(async () => {
  bench = await createOperationsBench();
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
  const { resealed } = await secrets.rotate();
  expect(resealed).toBe(6);
  expect((await secrets.list(project)).map(({ name }) => name)).toEqual([
    "KEY",
    "S0",
    "S1",
    "S2",
    "S3",
    "S4",
  ]);
});
