/**
 * The server over HTTP against floors of the same stack in the same run: a read of a run against a bare Fastify that
 * reads one row by its primary key; accepting runs; and what an idle server weighs.
 */
import { Agent } from "node:http";
import { setTimeout } from "node:timers/promises";
import { compare, type Outcome } from "./harness.ts";
import { p99, read } from "./reads.ts";
import { type BenchServer, startProgram, startServer } from "./server.ts";
import { createWorkbench, temporaryDirectory } from "./workbench.ts";

const connections = 10;
const requests = 1_500;
/** Of each connection, where they pause between. */
const [reads, pauseMs] = [60, 20];

export async function benchService(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  await using server = await startServer(directory);
  await server.register("noop", 'build:\n  steps:\n    - { name: a, run: ":" }\n');
  const runs: string[] = [];
  while (runs.length < connections) {
    const { id } = await server.ask<{ id: string }>("POST", "/v1/pipelines/noop/runs", {});
    await server.ended(id);
    runs.push(`${server.url}/v1/pipeline-runs/${id}`);
  }
  await using bench = await createWorkbench();
  const { connection } = await bench.app.open();
  const { host, port, user, password, database } = connection;
  const settings = JSON.stringify({ host, port, user, password, database });
  await using floor = await startProgram("./service-floor.ts", [settings, String(connections)]);
  const memory = server.rss();
  const many = await compare({
    title: `${requests} reads of a run over ${connections} connections`,
    rounds,
    contenders: [
      { name: "GET run", measure: () => load(runs.slice(0, 1), server.headers) },
      { name: "GET run, ten in turn", measure: () => load(runs, server.headers) },
      { name: "bare primary-key read", measure: () => load([floor.line], {}) },
    ],
    limits: [{ subject: "GET run", of: "bare primary-key read", most: 2 }],
  });
  const late99 = () => p99(runs, server.headers, { connections, reads, pauseMs });
  const late = await compare({
    title: `the 99th percentile of reads of a run over ${connections} connections, each every ${pauseMs} ms`,
    rounds,
    contenders: [
      { name: "while nothing runs", measure: late99 },
      { name: "while one-step runs go", measure: () => whileRunning(server, late99) },
    ],
    limits: [{ subject: "while one-step runs go", most: 5 }],
  });
  console.log(`  the server's memory before, idle: ${memory} MiB; now: ${server.rss()} MiB`);
  await setTimeout(35_000);
  console.log(`  and when it has been idle again: ${server.rss()} MiB (at most 124, which are 130 MB)`);
  return [many, late];
}

/** More runs than there are slots, one after another each, until that is measured. */
async function whileRunning(server: BenchServer, measure: () => Promise<number>): Promise<number> {
  let found: number;
  {
    await using _load = await startProgram("./service-load.ts", [server.url, server.token, "noop", "6"]);
    await setTimeout(1_000);
    found = await measure();
  }
  await server.allEnded();
  return found;
}

/** Milliseconds for all requests, of these in turn. */
async function load(urls: readonly string[], headers: Readonly<Record<string, string>>): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let left = requests;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (left-- > 0) await read(urls[left % urls.length] ?? "", { agent, headers });
    }),
  );
  const took = performance.now() - start;
  agent.destroy();
  return took;
}
