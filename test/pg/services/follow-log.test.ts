/** Following a log while the database goes and comes, and by many at once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type ExecutionId, Problem, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { createLogStore, type LogStore } from "../../../src/logs/index.ts";
import { type FollowDeps, followLog } from "../../../src/services/runs/follow.ts";
import { type ChangeFeed, createChangeFeed } from "../../../src/store/index.ts";
import { eventually } from "../../support/eventually.ts";
import { accept, advance, createFixture, type Fixture, runSnapshot } from "../fixture.ts";

let fixture: Fixture;
let directory: string;
let logs: LogStore;
let execution: ExecutionId;
let finish: () => Promise<unknown>;
let changes: ChangeFeed;
let pages: number;
let isAway: boolean;

beforeAll(async () => {
  fixture = await createFixture();
  const { settings } = fixture.database;
  changes = createChangeFeed({ settings, clock: systemClock, log: silentLogger });
  directory = mkdtempSync(join(tmpdir(), "sh-follow-"));
  logs = createLogStore({ base: directory, capBytes: 1e6, clock: systemClock, log: silentLogger });
});
afterAll(async () => {
  await changes[Symbol.asyncDispose]();
  await fixture[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});
beforeEach(async () => {
  [pages, isAway] = [0, false];
  const { id } = await accept(fixture);
  await advance(fixture, id, { ends: {} });
  const found = (await fixture.store.executions.ofRun(id))[0];
  if (found === undefined) throw new Error("nothing runs");
  execution = found.id;
  finish = async () => {
    while (await advance(fixture, id, { ends: { "step-0": "succeeded" } }));
    expect((await runSnapshot(fixture.store, id)).run.status).toBe("success");
  };
  await logs.append(execution, 0, Buffer.from("first "));
});

const deps: FollowDeps = {
  clock: systemClock,
  log: silentLogger,
  logs: { follow: (id, request) => logs.follow(id, request) },
  database: async () => ({
    store: {
      runs: fixture.store.runs,
      executions: fixture.store.executions,
      transitions: {
        async page(id, seq) {
          pages += 1;
          if (isAway) throw new Problem("database_unavailable", "The database is away.");
          return await fixture.store.transitions.page(id, seq);
        },
      },
    },
    changes,
  }),
};

/** All of it as text, and what has come so far. */
function follow(): { readonly all: Promise<string>; readonly soFar: () => string } {
  let text = "";
  const never = new AbortController();
  const all = (async () => {
    const request = { executionId: execution, offset: 0, follow: true };
    for await (const { bytes } of followLog(deps, request, never.signal))
      text += Buffer.from(bytes).toString();
    return text;
  })();
  return { all, soFar: () => text };
}

it("goes on over an absence of the database, and ends with its execution", async () => {
  isAway = true;
  const { all, soFar } = follow();
  await eventually(() => soFar() === "first " && pages > 0);
  await logs.append(execution, 6, Buffer.from("second "));
  await eventually(() => soFar() === "first second ");
  isAway = false;
  await logs.append(execution, 13, Buffer.from("last"));
  await finish();
  expect(await all).toBe("first second last");
});

it("asks nothing of the database for more of a log, and ends many followers together", async () => {
  const followers = Array.from({ length: 50 }, follow);
  await eventually(() => followers.every(({ soFar }) => soFar() === "first ") && pages >= 50);
  const before = pages;
  await logs.append(execution, 6, Buffer.from("second"));
  await eventually(() => followers.every(({ soFar }) => soFar() === "first second"));
  expect(pages).toBe(before);
  await finish();
  expect(new Set(await Promise.all(followers.map(({ all }) => all)))).toEqual(new Set(["first second"]));
});
