/**
 * What 200 readers that follow a log, and 50 that do not read what they asked for, cost everybody else: the 99th percentile
 * of reading a run, the server's memory; and how late a line reaches those who read.
 */
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { compare, median, type Outcome } from "./harness.ts";
import { p99 } from "./reads.ts";
import { type BenchServer, startServer } from "./server.ts";
import { temporaryDirectory } from "./workbench.ts";

const [liveCount, stalledCount] = [200, 50];
const reading = { connections: 4, reads: 100, pauseMs: 0 };
/** Until those who do not read have had what their sockets hold. */
const settleMs = 3_000;
/**
 * MiB by which the server may grow, 1.5 for each of them: what the engine has not collected yet, 128 of it room for new
 * objects. It stops there however often they come.
 */
const maxMemory = 384;
/** MiB that may be left of it when they are gone and all is quiet, which is looked at every 15 s. */
const maxKept = 64;
const quietMs = 35_000;
const maxLatenessMs = 50;

/** 30 MB at once, for those who do not read; then a line with its time, twenty a second. */
const pipeline = `build:
  steps:
    - name: talk
      run: |
        yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 30000000
        while :; do date +%s%3N; sleep 0.05; done
`;

export async function benchReaders(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  await using server = await startServer(directory);
  await server.register("talk", pipeline);
  const { id: run } = await server.ask<{ id: string }>("POST", "/v1/pipelines/talk/runs", {});
  const step = await stepThatTalks(server, run);
  const lateness: number[] = [];
  const memory: number[] = [];
  const without: number[] = [];
  const alone = async () => {
    const found = await p99([`${server.url}/v1/pipeline-runs/${run}`], server.headers, reading);
    without.push(server.rss());
    return found;
  };
  const among = async () => {
    const readers = await follow(server, step, lateness);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const found = await p99([`${server.url}/v1/pipeline-runs/${run}`], server.headers, reading);
    memory.push(server.rss());
    readers[Symbol.dispose]();
    return found;
  };
  const read = await compare({
    title: `the 99th percentile of ${reading.connections * reading.reads} reads of a run over ${reading.connections} connections`,
    rounds,
    contenders: [
      { name: "alone", measure: alone },
      { name: `beside ${liveCount} live and ${stalledCount} stalled`, measure: among },
    ],
    // What 4,000 events a second take of the processor is theirs; nobody may be held up by it.
    limits: [{ subject: `beside ${liveCount} live and ${stalledCount} stalled`, most: 50 }],
  });
  // The first round without readers is the server as it is under requests alone.
  const grown = Math.max(...memory) - (without[0] ?? 0);
  const late = median(lateness);
  console.log(`  the server's memory: ${without.join(", ")} without and ${memory.join(", ")} MiB with them`);
  console.log(`  the server grew by ${grown} MiB (at most ${maxMemory})`);
  console.log(
    `  a line reached its readers after ${late} ms (at most ${maxLatenessMs}), of ${lateness.length}`,
  );
  await server.ask("POST", `/v1/pipeline-runs/${run}/cancel`, {});
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  const kept = server.rss() - (without[0] ?? 0);
  console.log(`  of which ${kept} MiB stayed when they were gone (at most ${maxKept})`);
  const held = [grown <= maxMemory, late <= maxLatenessMs, kept <= maxKept].filter(Boolean).length;
  return [read, { title: "readers", held, missed: 3 - held }];
}

interface Step {
  readonly execution: string;
  readonly offset: number;
}

async function stepThatTalks(server: BenchServer, run: string): Promise<Step> {
  for (;;) {
    const found = await server.ask<{ jobs: { steps: { executions: { id: string }[] }[] }[] }>(
      "GET",
      `/v1/pipeline-runs/${run}`,
    );
    const execution = found.jobs[0]?.steps[0]?.executions[0]?.id;
    if (execution !== undefined) {
      const head = await fetch(`${server.url}/v1/executions/${execution}/logs`, {
        method: "HEAD",
        headers: server.headers,
      });
      const offset = Number(head.headers.get("content-length"));
      if (offset > 30_000_000) return { execution, offset };
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function follow(
  server: BenchServer,
  { execution, offset }: Step,
  lateness: number[],
): Promise<Disposable> {
  const url = new URL(`${server.url}/v1/executions/${execution}/logs`);
  const stalled = Array.from({ length: stalledCount }, (): Socket => {
    const socket = connect(Number(url.port), url.hostname);
    socket.on("error", () => undefined);
    socket.pause();
    socket.write(
      `GET ${url.pathname}?follow=true HTTP/1.1\r\nhost: x\r\nauthorization: ${server.headers.authorization}\r\n\r\n`,
    );
    return socket;
  });
  const since = Date.now();
  const agent = new Agent({ keepAlive: false });
  const live = await Promise.all(
    Array.from({ length: liveCount }, async () => {
      const asked = get(`${url}?follow=true&offset=${offset}`, { agent, headers: server.headers });
      const [response]: IncomingMessage[] = await once(asked, "response");
      response?.setEncoding("utf8").on("data", (text: string) => {
        const now = Date.now();
        for (const [, base64 = ""] of text.matchAll(/"base64":"([^"]*)"/g)) {
          const lines =
            Buffer.from(base64, "base64")
              .toString()
              .match(/\d{13}/g) ?? [];
          if (now > since + settleMs / 2) for (const line of lines) lateness.push(now - Number(line));
        }
      });
      response?.on("error", () => undefined);
      return asked;
    }),
  );
  return {
    [Symbol.dispose]() {
      for (const one of [...stalled, ...live]) one.destroy();
      agent.destroy();
    },
  };
}
