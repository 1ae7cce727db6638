/** A run's cause: what it says, and how runs are listed by it. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../src/services/index.ts";
import { createServiceBench, type ServiceBench, type Team } from "./operations-bench.ts";

const { signal } = new AbortController();
let bench: ServiceBench;
let team: Team;
let program: Client;
beforeAll(async () => {
  bench = await createServiceBench();
  team = await bench.team("causes");
  program = bench.operations.as(await bench.caller("trigger", team.project));
});
afterAll(() => bench[Symbol.asyncDispose]());

const trigger = async (client: Client, cause?: "manual" | "api") => {
  const source = {
    kind: "pipeline",
    pipeline: team.pipeline,
    ref: null,
    sha: null,
    validate: "later",
  } as const;
  return (await client.trigger({ source, only: null, by: "ada", cause }, signal)).run;
};

it("is a person at the server's terminal", async () => {
  expect((await trigger(bench.local)).cause).toEqual({ kind: "manual", actor: "ada", delivery: null });
});

it("is a program with a token, unless it says that a person asks", async () => {
  const { name } = await program.whoami();
  expect((await trigger(program)).cause).toEqual({ kind: "api", actor: name, delivery: null });
  expect((await trigger(program, "manual")).cause).toEqual({ kind: "manual", actor: name, delivery: null });
});

it("is a retry", async () => {
  const { run } = await bench.local.retry({ run: team.run, by: "ada" });
  expect(run.cause).toEqual({ kind: "retry", actor: "ada", delivery: null });
});

it.each([{ pipeline: "causes/causes" }, { project: "causes" }, {}])("lists runs with %j", async (scope) => {
  const { items } = await program.list({ ...scope, cause: "api" });
  expect(items.map(({ cause }) => cause.kind)).toEqual(["api"]);
});

it.each([
  { cause: "api" },
  { cause: "api", project: "causes", status: "failed" },
  { cause: "api", project: "causes", sha: "a".repeat(40) },
] as const)("refuses a list without an index: %j", async (filter) => {
  await expect(bench.local.list(filter)).rejects.toMatchObject({ code: "usage", place: "cause" });
});
