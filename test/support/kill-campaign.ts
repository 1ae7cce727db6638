/**
 * kill -9 at random moments of a run, and what must hold afterwards: no step's commands are lost or repeated. Every step
 * writes its name and the run's number into a ledger outside its workspace before it does anything else.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../../src/services/index.ts";
import { killIfThere, World } from "./cli.ts";
import { eventually } from "./eventually.ts";

export const environment = { SHIPINATOR_LOCAL_SLOTS: "3", SHIPINATOR_PARALLEL_LIMIT: "3" };

/** What runs together; the order within a line is free. */
const order = [
  ["b1"],
  ["b2"],
  ["b3"],
  ["t1"],
  ["p1", "p2", "p3"],
  ["t2"],
  ["q1", "q2"],
  ["t3"],
  ["deploy"],
] as const;
const names = order.flat();

/** Twelve steps, two of their groups parallel, artifacts between the stages, and a deploy. */
export function campaignRepository(world: World): string {
  const ledger = ledgerOf(world);
  const enter = (name: string) => `echo "$SHIPINATOR_RUN_NUMBER ${name}" >>${ledger}; sleep 0.05`;
  const step = (name: string, more = "", script = "") =>
    `    - { name: ${name}, ${more}run: ${JSON.stringify(`${enter(name)}; ${script || "true"}; echo ${name} ends`)} }\n`;
  const stage = (name: string, steps: readonly string[]) => `${name}:\n  steps:\n${steps.join("")}`;
  return world.repository("campaign", {
    ".shipinator.yaml": [
      stage("build", [
        step("b1"),
        step("b2", "outputs: [{ type: binary, name: app, path: app }], ", "echo made >app"),
        step("b3"),
      ]),
      stage("test", [
        step("t1", "", "cat app"),
        ...["p1", "p2", "p3"].map((name) => step(name, "parallel_group: p, ")),
        step("t2", "artifacts: [{ type: test_report, path: report }], ", "echo report >report"),
        ...["q1", "q2"].map((name) => step(name, "parallel_group: q, ")),
        step("t3"),
      ]),
      `deploy:\n  artifact: app\n  run: ${JSON.stringify(`${enter("deploy")}; cat "$SHIPINATOR_ARTIFACTS_DIR/app"`)}\n`,
    ].join(""),
  });
}

const ledgerOf = (world: World): string => join(world.root, "ledger");

export function ledger(world: World): readonly string[] {
  return existsSync(ledgerOf(world)) ? readFileSync(ledgerOf(world), "utf8").split("\n").slice(0, -1) : [];
}

/** A small generator with a seed (mulberry32), so that a failed campaign can be run again. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Moment {
  /** Kill when so many steps of the run have begun (none: when the run is accepted), and this many milliseconds later. */
  readonly begun: number;
  readonly afterMs: number;
  /** Who finds the run. */
  readonly finder: "list, resume" | "status, run" | "run" | "resume" | "two lists, resume";
}

const finders = ["list, resume", "status, run", "run", "resume", "two lists, resume"] as const;

function momentOf(random: () => number, index: number): Moment {
  return {
    begun: Math.floor(random() * (names.length + 1)),
    afterMs: Math.floor(random() * 120),
    finder: finders[index % finders.length] ?? "run",
  };
}

/** Starts a run, kills it at the moment, has it found, and holds it to its promises. */
async function survive(world: World, repository: string, moment: Moment): Promise<void> {
  const before = ledger(world).length;
  const running = world.start(["run", repository], { env: environment });
  await running.said(/^run \d+ of campaign \(/m);
  await eventually(() => ledger(world).length - before >= moment.begun || running.child.exitCode !== null);
  await delay(moment.afterMs);
  running.child.kill("SIGKILL");
  const { stdout } = await running.ended;
  const number = /^run (\d+) of campaign \(/m.exec(stdout)?.[1] ?? "none";
  const begun = ledger(world).length - before;

  const told = await find(world, repository, moment.finder);
  const run = await world.status(number);
  try {
    expectCarried(run, ledger(world));
  } catch (error) {
    throw new Error(`${JSON.stringify(moment)}, ${begun} begun when killed\n${told}`, { cause: error });
  }
  await world.quiet();
}

async function find(world: World, repository: string, finder: Moment["finder"]): Promise<string> {
  const said: string[] = [];
  const ask = async (...argv: string[]) => {
    const { code, stdout, stderr } = await world.shipinator(argv, { env: environment });
    said.push(`${argv.join(" ")}: ${code}\n${stdout}${stderr}`);
    expect({ argv, code, stderr: code === 0 ? "" : stderr }).toEqual({ argv, code: 0, stderr: "" });
    return stderr;
  };
  if (finder === "two lists, resume") await Promise.all([ask("list"), ask("list")]);
  if (finder === "list, resume") {
    // What is not over is named, with the command that goes on; that command carries it.
    const resume = /Resume it with: shipinator (resume \S+)/.exec(await ask("list"))?.[1];
    if (resume !== undefined) await ask(...resume.split(" "));
  }
  if (finder === "status, run") await ask("status");
  if (finder === "status, run" || finder === "run") await ask("run", repository);
  if (finder === "resume" || finder === "two lists, resume") await ask("resume");
  return said.join("\n");
}

/** Ended in success; every step's commands began once, in order; no execution that began has another beside it. */
export function expectCarried(run: RunDetail, lines: readonly string[]): void {
  expect({ status: run.status, reason: run.failure_reason, message: run.failure_message }).toEqual({
    status: "success",
    reason: null,
    message: null,
  });
  const mine = lines
    .filter((line) => line.startsWith(`${run.number} `))
    .map((line) => line.split(" ")[1] ?? "");
  let at = 0;
  for (const together of order) {
    expect(mine.slice(at, at + together.length).toSorted()).toEqual([...together]);
    at += together.length;
  }
  expect(mine).toHaveLength(names.length);
  expect(run.jobs.map(({ job_type, attempt }) => [job_type, attempt])).toEqual([
    ["build", 1],
    ["test", 1],
    ["deploy", 1],
  ]);
  for (const { steps } of run.jobs)
    for (const { name, executions } of steps) {
      const began = executions.filter((execution) => execution.begun_at !== null);
      expect({ name, began: began.map(({ status, exit_code }) => [status, exit_code]) }).toEqual({
        name,
        began: [["succeeded", 0]],
      });
    }
  expect(run.artifacts.map((artifact) => artifact.name)).toEqual(["app", "report"]);
}

/** kill -9 of each living process of the world that the filter takes. */
export function killAll(world: World, which: (command: string) => boolean): number {
  const found = world.processes().filter(({ command }) => which(command));
  for (const { pid } of found) killIfThere(pid);
  return found.length;
}

/** Declares the tests of a campaign: one `run` for each of `moments` random moments, which follow from `seed`. */
export function describeCampaign(moments: number, seed: number): void {
  describe(`kill -9 of run at ${moments} random moments (seed ${seed})`, () => {
    let world: World;
    let repository: string;
    beforeAll(async () => {
      world = await World.prepared();
      repository = campaignRepository(world);
    });
    afterAll(async () => {
      await world[Symbol.asyncDispose]();
    });

    const random = createRandom(seed);
    for (let index = 0; index < moments; index += 1) {
      const moment = momentOf(random, index);
      it(`${index}: ${moment.begun} steps begun, ${moment.afterMs} ms later; found by ${moment.finder}`, async () => {
        await survive(world, repository, moment);
      });
    }
  });
}
