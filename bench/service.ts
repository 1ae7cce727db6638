/**
 * The server over HTTP against floors of the same stack in the same run: a read of a run against a bare Fastify that
 * reads one row by its primary key; accepting runs; and what an idle server weighs.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compare, type Outcome } from "./harness.ts";
import { createWorkbench, temporaryDirectory } from "./workbench.ts";

const launcher = fileURLToPath(new URL("../src/launch.js", import.meta.url));
const connections = 10;
const requests = 1_500;

export async function benchService(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  await using server = await startServer(directory);
  const repository = join(directory, "repository");
  makeRepository(repository);
  const project = await server.ask<{ id: string }>("POST", "/v1/projects", { name: "bench" });
  const registered = await server.ask<{ id: string }>("POST", "/v1/repositories", {
    project_id: project.id,
    clone_url: repository,
  });
  await server.ask("POST", "/v1/pipelines", { repository_id: registered.id, name: "noop" });
  const run = await server.ask<{ id: string }>("POST", "/v1/pipelines/noop/runs", {});
  await server.ask("GET", `/v1/pipeline-runs/${run.id}/events?after=0`);
  await using floor = await startFloor();
  const memory = server.rss();
  const read = await compare({
    title: `${requests} reads of a run over ${connections} connections`,
    rounds,
    contenders: [
      { name: "GET run", measure: () => load(`${server.url}/v1/pipeline-runs/${run.id}`, server.headers) },
      { name: "bare primary-key read", measure: () => load(floor.url, {}) },
    ],
    limits: [{ subject: "GET run", of: "bare primary-key read", most: 2 }],
  });
  console.log(`  the server's memory before, idle: ${memory} MiB (at most 130)`);
  return [read];
}

interface BenchServer extends AsyncDisposable {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  ask<T>(method: string, path: string, body?: unknown): Promise<T>;
  rss(): number;
}

async function startServer(directory: string): Promise<BenchServer> {
  const dataDir = join(directory, "data");
  const env = {
    ...process.env,
    SHIPINATOR_DATA_DIR: dataDir,
    SHIPINATOR_LISTEN_ADDRESS: "127.0.0.1:0",
    SHIPINATOR_LOG_LEVEL: "warn",
    ...(process.getuid?.() === 0 ? { SHIPINATOR_LOCAL_USER: "root" } : {}),
  };
  const child = spawn(process.execPath, [launcher, "serve"], { env, stdio: ["ignore", "ignore", "pipe"] });
  for await (const chunk of child.stderr) if (String(chunk).includes("serves on")) break;
  const { url }: { url: string } = JSON.parse(readFileSync(join(dataDir, "server.json"), "utf8"));
  const headers = { authorization: `Bearer ${readFileSync(join(dataDir, "admin-token"), "utf8").trim()}` };
  return {
    url,
    headers,
    async ask(method, path, body) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { ...headers, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${response.status} of ${path}: ${await response.text()}`);
      return JSON.parse(await response.text());
    },
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) >> 10,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

async function startFloor(): Promise<AsyncDisposable & { readonly url: string }> {
  const bench = await createWorkbench();
  const { connection } = await bench.app.open();
  const { host, port, user, password, database } = connection;
  const settings = JSON.stringify({ host, port, user, password, database });
  const script = fileURLToPath(new URL("./service-floor.ts", import.meta.url));
  const child = spawn(process.execPath, [script, settings, String(connections)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [url] = await once(child.stdout, "data");
  return {
    url: String(url).trim(),
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, "exit");
      await bench[Symbol.asyncDispose]();
    },
  };
}

/** Milliseconds for all requests. */
async function load(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let left = requests;
  const start = performance.now();
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const asked = request(url, { agent, headers }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${response.statusCode} of ${url}`));
        response.resume();
        response.on("end", resolve);
      });
      asked.on("error", reject);
      asked.end();
    });
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (left-- > 0) await one();
    }),
  );
  const took = performance.now() - start;
  agent.destroy();
  return took;
}

function makeRepository(directory: string): void {
  mkdirSync(directory);
  writeFileSync(join(directory, ".shipinator.yaml"), 'build:\n  steps:\n    - { name: a, run: ":" }\n');
  const git = (...args: string[]) => execFileSync("git", ["-C", directory, ...args], { stdio: "ignore" });
  git("init", "-b", "main");
  git("add", "--all");
  git("-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "-m", "first");
}
