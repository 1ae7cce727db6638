/**
 * 100 durable no-op steps against a floor that does the same durable work (a `setsid sh` with gate, log and exit file,
 * one commit a step) and against `make`; and what a step costs in a long run.
 */
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
  const makefile = join(bench.directory, "Makefile");
  const targets = Array.from({ length: 100 }, (_, i) => `t${i}`).join(" ");
  // The shell operator makes make call `sh -c`, as it does for any recipe that is more than one plain command.
  writeFileSync(makefile, `.PHONY: all ${targets}\nall: ${targets}\n${targets}:\n\t@: ; :\n`);
  await runToEnd(bench, hundred);
  await floor.run();
  const steps = await compare({
    title: "100 no-op steps of one job, accepted to final, warm",
    rounds,
    contenders: [
      { name: "shipinator", measure: () => runToEnd(bench, hundred) },
      { name: "floor", measure: () => timed(() => floor.run()) },
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

async function openFloor({ directory, app }: Workbench): Promise<Floor> {
  const { connection } = await app.open();
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    password: connection.password,
    database: connection.database,
  });
  await client.connect();
  await client.query("create table floor_steps (at timestamptz not null, directory text not null)");
  return {
    async run() {
      const base = mkdtempSync(join(directory, "floor-"));
      for (let i = 0; i < 100; i++) {
        const step = join(base, String(i));
        mkdirSync(step);
        await client.query({
          name: "floor",
          text: "insert into floor_steps values (now(), $1)",
          values: [step],
        });
        const code = await exited("setsid", ["sh", "-c", floorScript, "floor", step]);
        if (code !== 0) throw new Error(`a step of the floor exited ${code}`);
      }
    },
    async [Symbol.asyncDispose]() {
      await client.end();
    },
  };
}
