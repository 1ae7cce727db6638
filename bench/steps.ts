/**
 * 100 durable no-op steps against a floor that does the same durable work (a `setsid sh` with gate, log and exit file,
 * one commit a step) and against `make`; and what a step costs in a long run. Beside them the leanest way that we know
 * to do less: one commit of one row, then one `sh` that a waiting shell starts behind a gate, without a log's cap,
 * without state machines.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { compare, type Outcome, timed } from "./harness.ts";
import { createWorkbench, exited, noopPipeline, runToEnd, type Workbench } from "./workbench.ts";

const floorScript = 'set -C; : >"$1/gate" || exit 99; set +C; sh -c : >"$1/log" 2>&1; echo $? >"$1/exit"';

export async function benchSteps(rounds: number): Promise<Outcome[]> {
  await using bench = await createWorkbench();
  const hundred = noopPipeline(bench.directory, 100);
  const ten = noopPipeline(bench.directory, 10);
  const thousand = noopPipeline(bench.directory, 1000);
  await using floor = await openFloor(bench);
  await using leanest = await openLeanest(bench);
  const makefile = join(bench.directory, "Makefile");
  const targets = Array.from({ length: 100 }, (_, i) => `t${i}`).join(" ");
  // The shell operator makes make call `sh -c`, as it does for any recipe that is more than one plain command.
  writeFileSync(makefile, `.PHONY: all ${targets}\nall: ${targets}\n${targets}:\n\t@: ; :\n`);
  await runToEnd(bench, hundred);
  await floor.run();
  await leanest.run();
  const steps = await compare({
    title: "100 no-op steps of one job, accepted to final, warm",
    rounds,
    contenders: [
      { name: "shipinator", measure: () => runToEnd(bench, hundred) },
      { name: "floor", measure: () => timed(() => floor.run()) },
      { name: "leanest", measure: () => timed(() => leanest.run()) },
      { name: "make", measure: () => timed(() => exited("make", ["-s", "-f", makefile, "all"])) },
    ],
    limits: [
      { subject: "shipinator", of: "floor", most: 1.3 },
      { subject: "shipinator", of: "make", most: 2.5 },
    ],
  });
  const long = await compare({
    title: "a step of a 1,000-step run and of a 10-step run",
    rounds: Math.max(2, Math.floor(rounds / 2)),
    contenders: [
      { name: "per step of 10", measure: async () => (await runToEnd(bench, ten)) / 10 },
      { name: "per step of 1,000", measure: async () => (await runToEnd(bench, thousand)) / 1000 },
    ],
    limits: [{ subject: "per step of 1,000", of: "per step of 10", most: 1.5 }],
  });
  return [steps, long];
}

interface Floor extends AsyncDisposable {
  run(): Promise<void>;
}

async function openFloor(bench: Workbench): Promise<Floor> {
  const { directory } = bench;
  const commits = await openCommits(bench);
  return {
    async run() {
      const base = mkdtempSync(join(directory, "floor-"));
      for (let i = 0; i < 100; i++) {
        const step = join(base, String(i));
        mkdirSync(step);
        await commits.commit(step);
        const code = await exited("setsid", ["sh", "-c", floorScript, "floor", step]);
        if (code !== 0) throw new Error(`a step of the floor exited ${code}`);
      }
    },
    [Symbol.asyncDispose]: () => commits.end(),
  };
}

const leanestScript = `
while read -r step; do
  set -C; : >"$step.gate" || exit 1; set +C
  sh -c : </dev/null >"$step.log" 2>&1
  echo $? >"$step.exit"
  echo over
done`;

async function openLeanest(bench: Workbench): Promise<Floor> {
  const commits = await openCommits(bench);
  const shell = spawn("sh", ["-c", leanestScript], { stdio: ["pipe", "pipe", "inherit"] });
  return {
    async run() {
      const base = mkdtempSync(join(bench.directory, "leanest-"));
      for (let i = 0; i < 100; i++) {
        const step = join(base, String(i));
        await commits.commit(step);
        const over = once(shell.stdout, "data");
        shell.stdin.write(`${step}\n`);
        await over;
      }
    },
    async [Symbol.asyncDispose]() {
      shell.stdin.end();
      await commits.end();
    },
  };
}

interface Commits {
  commit(step: string): Promise<void>;
  end(): Promise<void>;
}

/** One row a commit, over a connection of its own. */
async function openCommits({ app }: Workbench): Promise<Commits> {
  const { connection } = await app.open();
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    password: connection.password,
    database: connection.database,
  });
  await client.connect();
  await client.query(
    "create table if not exists floor_steps (at timestamptz not null, directory text not null)",
  );
  return {
    async commit(step) {
      const text = "insert into floor_steps values (now(), $1)";
      await client.query({ name: "floor", text, values: [step] });
    },
    end: () => client.end(),
  };
}
