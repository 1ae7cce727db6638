/** A real `serve` to measure, and a repository for it. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../src/launch.js", import.meta.url));

export interface BenchServer extends AsyncDisposable {
  readonly url: string;
  /** The admin's. */
  readonly token: string;
  readonly headers: Readonly<Record<string, string>>;
  ask<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** A pipeline of that name on a repository of its own that has this file; gives the repository's directory. */
  register(name: string, file: string): Promise<string>;
  /** A pipeline of that name on a repository elsewhere. */
  registerAddress(name: string, cloneUrl: string): Promise<void>;
  /** Waits for the run's end, by its events. */
  ended(run: string): Promise<void>;
  /** Waits until no run is under way. */
  allEnded(): Promise<void>;
  /** Ids of the runs that are under way, 200 of each state at most. */
  unfinished(): Promise<readonly string[]>;
  rss(): number;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

export async function startServer(
  directory: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<BenchServer> {
  const dataDir = join(directory, "data");
  const env = {
    ...process.env,
    SHIPINATOR_DATA_DIR: dataDir,
    SHIPINATOR_LISTEN_ADDRESS: "127.0.0.1:0",
    SHIPINATOR_LOG_LEVEL: "warn",
    ...(process.getuid?.() === 0 ? { SHIPINATOR_LOCAL_USER: "root" } : {}),
    ...environment,
  };
  const child = spawn(process.execPath, [launcher, "serve"], { env, stdio: ["ignore", "ignore", "pipe"] });
  // Also where a benchmark fails.
  const end = () => void child.kill();
  process.once("exit", end);
  for await (const chunk of child.stderr) if (String(chunk).includes("serves on")) break;
  const { url }: { url: string } = JSON.parse(readFileSync(join(dataDir, "server.json"), "utf8"));
  const token = readFileSync(join(dataDir, "admin-token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}` };
  const server: BenchServer = {
    url,
    token,
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
    async register(name, file) {
      const repository = join(directory, "repository");
      makeRepository(repository, file);
      await server.registerAddress(name, repository);
      return repository;
    },
    async registerAddress(name, clone_url) {
      const { id: project_id } = await server.ask<{ id: string }>("POST", "/v1/projects", { name });
      const { id: repository_id } = await server.ask<{ id: string }>("POST", "/v1/repositories", {
        project_id,
        clone_url,
      });
      await server.ask("POST", "/v1/pipelines", { repository_id, name });
    },
    async ended(run) {
      const events = { headers: { ...headers, accept: "text/event-stream" } };
      await (await fetch(`${url}/v1/pipeline-runs/${run}/events`, events)).text();
    },
    async allEnded() {
      for (let ids = await server.unfinished(); ids.length > 0; ids = await server.unfinished())
        for (const id of ids) await server.ended(id);
    },
    async unfinished() {
      const found = ["pending", "running"].map(async (status) => {
        const path = `/v1/pipeline-runs?status=${status}&limit=200`;
        const { items } = await server.ask<{ items: readonly { readonly id: string }[] }>("GET", path);
        return items.map(({ id }) => id);
      });
      return (await Promise.all(found)).flat();
    },
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) >> 10,
    async kill() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
    async [Symbol.asyncDispose]() {
      process.off("exit", end);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
  return server;
}

/** A program of this folder in a process of its own, as the server is, once it has printed a line: where it serves, say. */
export async function startProgram(
  script: string,
  args: readonly string[],
): Promise<AsyncDisposable & { readonly line: string }> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const end = () => void child.kill();
  process.once("exit", end);
  const [line] = await once(child.stdout, "data");
  return {
    line: String(line).trim(),
    async [Symbol.asyncDispose]() {
      process.off("exit", end);
      child.kill();
      await once(child, "exit");
    },
  };
}

function makeRepository(directory: string, file: string): void {
  mkdirSync(directory);
  writeFileSync(join(directory, ".shipinator.yaml"), file);
  const git = (...args: string[]) => execFileSync("git", ["-C", directory, ...args], { stdio: "ignore" });
  git("init", "-b", "main");
  git("add", "--all");
  git("-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "-m", "first");
}
