/**
 * Accepting runs alone, and while they are carried, against what job queues do to take a job. graphile-worker is no
 * dependency; its `add_job` is measured where it is installed: `npm install --no-save graphile-worker`.
 */
import { once } from "node:events";
import { Agent } from "node:http";
import { createServer, type Server } from "node:net";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { errorCode } from "../src/kernel/index.ts";
import type { ConnectionSettings } from "../src/store/index.ts";
import { type Contender, compare, inTurns, type Outcome, timed } from "./harness.ts";
import { read } from "./reads.ts";
import { type BenchServer, startServer } from "./server.ts";
import { createWorkbench, temporaryDirectory } from "./workbench.ts";

const many = 200;
const connections = 10;
const byPost = "POST of a run";
const byRow = "a row of a job queue each";
const byJob = "add_job of graphile-worker";

export async function benchAccepts(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  await using server = await startServer(directory);
  await server.register("noop", "build:\n  steps:\n    - { name: a, run: ':' }\n");
  const silent = await listenInSilence();
  await server.registerAddress("silent", `https://127.0.0.1:${portOf(silent)}/silent.git`);
  await using bench = await createWorkbench();
  await using queue = await makeQueue((await bench.app.open()).connection);
  const contenders: Contender[] = [
    {
      name: byPost,
      async measure() {
        await occupy(server);
        return await accepting(server, "silent", cancelAll);
      },
    },
    { name: `${byPost}, carried`, measure: () => accepting(server, "noop", () => server.allEnded()) },
    { name: byRow, measure: () => timed(() => inTurns(many, connections, queue.addRow)) },
  ];
  const { addJob } = queue;
  if (addJob !== null)
    contenders.push({ name: byJob, measure: () => timed(() => inTurns(many, connections, addJob)) });
  try {
    return [
      await compare({
        title: `${many} runs accepted over ${connections} connections`,
        rounds,
        contenders,
        limits: [{ subject: byPost, of: addJob === null ? byRow : byJob, most: 1 }],
      }),
    ];
  } finally {
    silent.close();
  }
}

/** A host that takes connections and says nothing: what is accepted for it waits, and nothing else is done. */
export async function listenInSilence(): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => undefined));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen on a port");
  return address.port;
}

async function accepting(
  server: BenchServer,
  pipeline: string,
  after: (server: BenchServer) => Promise<void>,
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const headers = { ...server.headers, "content-type": "application/json" };
  const url = `${server.url}/v1/pipelines/${pipeline}/runs`;
  const took = await timed(() => inTurns(many, connections, () => read(url, { agent, headers, body: "{}" })));
  agent.destroy();
  await after(server);
  return took;
}

/** As many as are looked for at once wait for their host: of what comes after them nothing is begun for seconds. */
async function occupy(server: BenchServer): Promise<void> {
  await inTurns(4, 4, () => server.ask("POST", "/v1/pipelines/silent/runs", {}));
  await setTimeout(500);
}

async function cancelAll(server: BenchServer): Promise<void> {
  // A page of them at a time.
  for (let ids = await server.unfinished(); ids.length > 0; ids = await server.unfinished()) {
    for (const id of ids) await server.ask("POST", `/v1/pipeline-runs/${id}/cancel`, {});
    for (const id of ids) await server.ended(id);
  }
}

interface WorkerUtils {
  migrate(): Promise<void>;
  addJob(task: string, payload: unknown): Promise<unknown>;
  release(): Promise<void>;
}

/** What a job queue in Postgres does to take a job: one row, one index, one notification, one commit. */
async function makeQueue({ host, port, user, password, database }: ConnectionSettings) {
  const pool = new pg.Pool({ host, port, user, password, database, max: connections });
  await pool.query(
    "create table queued (id bigint generated always as identity primary key, task text, payload json, run_at timestamptz default now())",
  );
  await pool.query("create index on queued (run_at)");
  const text =
    "with added as (insert into queued (task, payload) values ($1, $2) returning id) select id, pg_notify('queued', '') from added";
  const payload = { pipeline: "noop", ref: "main" };
  const values = ["run", JSON.stringify(payload)];
  const worker = await graphileWorker(pool);
  return {
    addRow: () => pool.query({ name: "add", text, values }),
    addJob: worker === null ? null : () => worker.addJob("run", payload),
    async [Symbol.asyncDispose]() {
      await worker?.release();
      await pool.end();
    },
  };
}

async function graphileWorker(pgPool: pg.Pool): Promise<WorkerUtils | null> {
  const name = "graphile-worker";
  let found: { makeWorkerUtils(options: { readonly pgPool: pg.Pool }): Promise<WorkerUtils> };
  try {
    found = await import(name);
  } catch (error) {
    if (errorCode(error) !== "ERR_MODULE_NOT_FOUND") throw error;
    console.log(`\n${name} is not installed: its add_job is left out`);
    return null;
  }
  const worker = await found.makeWorkerUtils({ pgPool });
  await worker.migrate();
  return worker;
}
