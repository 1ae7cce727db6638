/** A start after `kill -9` with many runs in flight: when the server listens, and when it knows of each where it stands. */
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { setTimeout } from "node:timers/promises";
import { type Contender, compare, medianOf, type Outcome } from "./harness.ts";
import { type BenchServer, startServer } from "./server.ts";
import { countUnfinished, seedUnfinished } from "./unfinished.ts";
import { openWorkbench, temporaryDirectory } from "./workbench.ts";

const inFlight = { queued: 9_500, running: 100, unresolved: 400 };
const inAll = inFlight.queued + inFlight.running + inFlight.unresolved;
const listening = "listening";
const classified = "every run looked at";
const metrics = "/metrics with what is queued";
const stopped = "SIGTERM while it recovers, to the end";

export async function benchRecovery(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  const silent = await listenInSilence();
  // Nothing is begun: what is measured is finding out where everything stands.
  const full = { SHIPINATOR_LOCAL_MIN_FREE_BYTES: "999TiB" };
  {
    await using server = await startServer(directory);
    await server.register("noop", "build:\n  steps:\n    - { name: a, run: ':' }\n");
    await server.registerAddress("silent", `https://127.0.0.1:${portOf(silent)}/silent.git`);
    const { id } = await server.ask<{ id: string }>("POST", "/v1/pipelines/noop/runs", {});
    await server.ended(id);
  }
  await using bench = await openWorkbench(directory);
  const { connection } = await bench.app.open();
  await seedUnfinished(connection, ["noop", "silent"], inFlight);
  let server: BenchServer | null = null;
  let from = 0;
  const contenders: Contender[] = [
    {
      name: listening,
      async measure() {
        await server?.kill();
        from = performance.now();
        server = await startServer(directory, full);
        return performance.now() - from;
      },
    },
    {
      name: classified,
      async measure() {
        await until(async () => (await fetch(`${server?.url}/readyz`)).ok);
        return performance.now() - from;
      },
    },
    {
      name: metrics,
      async measure() {
        const ask = async () =>
          (await fetch(`${server?.url}/metrics`, { headers: server?.headers ?? {} })).text();
        await ask();
        return await medianOf(20, async () => {
          await ask();
          return performance.now();
        });
      },
    },
    {
      name: stopped,
      async measure() {
        await server?.kill();
        server = await startServer(directory, full);
        from = performance.now();
        await server[Symbol.asyncDispose]();
        const took = performance.now() - from;
        server = null;
        return took;
      },
    },
  ];
  const outcome = await compare({
    title: `a start after kill -9 with ${inAll} runs in flight`,
    rounds,
    contenders,
    limits: [
      { subject: listening, most: 1_000 },
      { subject: classified, most: 10_000 },
      { subject: metrics, most: 50 },
    ],
  });
  const left = await countUnfinished(connection);
  console.log(
    `  ${left.lost} of ${inFlight.running} that ran are found lost; ${left.foreign} are left behind`,
  );
  silent.close();
  return [outcome];
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await setTimeout(10);
}

/** Listens on a port where connections are accepted and never answered: runs of its repositories stay unresolved. */
async function listenInSilence(): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => undefined));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string")
    throw new Error("The server does not listen on a port.");
  return address.port;
}
