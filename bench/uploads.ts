/** An output that an executor elsewhere uploads, hashed on its way and fsynced, against a bare stream into a file. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { compare, type Outcome } from "./harness.ts";
import { type BenchServer, startProgram, startServer } from "./server.ts";
import { temporaryDirectory } from "./workbench.ts";

const mebibytes = 256;
const output = "build:\n  steps:\n    - { name: a, run: ':', outputs: [{ type: binary, path: large }] }\n";

interface Order {
  readonly url: string;
  readonly token: string;
  readonly execution_id: string;
}

export async function benchUploads(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  const orders = join(directory, "orders");
  mkdirSync(orders);
  const launch = join(directory, "launch");
  // Whole under its own name, or not there.
  writeFileSync(
    launch,
    `#!/bin/sh\nt=$(mktemp ${orders}/.XXXXXX) && cat >$t && mv $t ${orders}/$1-\${t##*.}\n`,
    {
      mode: 0o755,
    },
  );
  await using server = await startServer(directory, {
    SHIPINATOR_EXECUTOR: "remote",
    SHIPINATOR_REMOTE_LAUNCH: launch,
  });
  await server.register("large", output);
  await using floor = await startProgram("./transfer-floor.ts", [join(directory, "stored")]);
  const bytes = randomBytes(mebibytes << 20);
  const digest = createHash("sha256").update(bytes).digest("base64");
  const carried = new Set<string>();
  return [
    await compare({
      title: `${mebibytes} MiB into the server`,
      rounds,
      contenders: [
        {
          name: "upload of an output",
          async measure() {
            const run = await server.ask<{ id: string }>("POST", "/v1/pipelines/large/runs", {});
            const order = await nextOrder(orders, carried);
            const executor = await begin(order);
            const took = await put(`${executor.url}/artifacts/large`, bytes, {
              ...executor.headers,
              "content-digest": `sha-256=:${digest}:`,
            });
            await end(server, run.id);
            return took;
          },
        },
        { name: "bare stream", measure: () => put(floor.line, bytes, {}) },
      ],
      limits: [{ subject: "upload of an output", of: "bare stream", most: 1 / 0.8 }],
    }),
  ];
}

async function nextOrder(directory: string, carried: Set<string>): Promise<Order> {
  for (;;) {
    const name = readdirSync(directory).find((one) => one.startsWith("launch-") && !carried.has(one));
    if (name !== undefined) {
      carried.add(name);
      return JSON.parse(readFileSync(join(directory, name), "utf8"));
    }
    await setTimeout(5);
  }
}

/** Claims and begins the execution; what is left is to upload. */
async function begin({ url, token, execution_id }: Order) {
  const executor = {
    url: `${url}/v1/executions/${execution_id}`,
    headers: { authorization: `Bearer ${token}`, "executor-id": execution_id },
  };
  for (const what of ["claim", "begin"]) {
    const answer = await fetch(`${executor.url}/${what}`, { method: "POST", headers: executor.headers });
    if (!answer.ok) throw new Error(`${answer.status} of ${what}: ${await answer.text()}`);
  }
  return executor;
}

/** A cancel that its executor does not hear; the next round has a run of its own. */
async function end(server: BenchServer, run: string): Promise<void> {
  await server.ask("POST", `/v1/pipeline-runs/${run}/cancel`, {});
}

/** Milliseconds until it is answered. */
async function put(url: string, bytes: Buffer, headers: Readonly<Record<string, string>>): Promise<number> {
  const agent = new Agent();
  const from = performance.now();
  const asked = request(url, {
    agent,
    method: "PUT",
    headers: { ...headers, "content-type": "application/octet-stream", "content-length": bytes.length },
  });
  asked.end(bytes);
  const [response] = await once(asked, "response");
  let answer = "";
  for await (const chunk of response) answer += chunk;
  agent.destroy();
  if (response.statusCode >= 300) throw new Error(`${response.statusCode} of ${url}: ${answer}`);
  return performance.now() - from;
}
