/** The change feed between processes: what one commits, the others hear with the commit. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type RunId, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { createChangeFeed } from "../../../src/store/index.ts";
import { eventually } from "../../support/eventually.ts";
import { accept, advance, createFixture, type Fixture, registerInstance } from "../fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const program = fileURLToPath(new URL("follower-process.ts", import.meta.url));

it("shows a follower in another process a transition within 50 ms of its commit", async () => {
  const { id } = await accept(fixture, 8);
  const child = spawn(process.execPath, [program, JSON.stringify(fixture.database.settings), id], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  onTestFinished(() => void child.kill());
  const shown = new Map<number, number>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [seq, at] = line.split(" ").map(Number);
    if (seq !== undefined && at !== undefined) shown.set(seq, at);
  });
  const seqOf = async () => (await fixture.store.runs.get(id))?.seq ?? 0;
  await eventually(async () => shown.has(await seqOf()));
  let changes = 0;
  for (;;) {
    const ends = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`step-${i}`, "succeeded"] as const));
    if (!(await advance(fixture, id, { ends }))) break;
    const seq = await seqOf();
    await eventually(() => shown.has(seq));
    changes += 1;
  }
  await exited;
  expect(changes).toBeGreaterThan(5);
});

it("hears of each run that one commit changes, however many", async () => {
  await using changes = createChangeFeed({
    settings: fixture.database.settings,
    clock: systemClock,
    log: silentLogger,
  });
  const runs = new Map<RunId, number>();
  let gaps = 0;
  changes.subscribe({ run: (id, seq) => void runs.set(id, seq), gap: () => void gaps++ });
  await eventually(() => changes.isUp());
  const accepted = await Promise.all(Array.from({ length: 400 }, () => accept(fixture)));
  await eventually(() => expect(runs.size).toBe(400));
  runs.clear();
  const { store, owner } = fixture;
  const taken = await store.runs.takeOwnershipOfMany(owner, await registerInstance(store), 1_000);
  expect(new Set(taken.map(({ id }) => id))).toEqual(new Set(accepted.map(({ id }) => id)));
  await eventually(() => expect(runs).toEqual(new Map(taken.map(({ id, seq }) => [id, seq]))));
  expect(gaps).toBe(1);
});

it("hears of what came while it was not connected", async () => {
  await using changes = createChangeFeed({
    settings: fixture.database.settings,
    clock: systemClock,
    log: silentLogger,
  });
  let gaps = 0;
  changes.subscribe({ gap: () => void gaps++ });
  await eventually(() => expect(gaps).toBe(1));
  await fixture.database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'shipinator listener'`,
  );
  await eventually(() => expect(gaps).toBe(2));
});
