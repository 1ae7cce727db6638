/** A real `shipinator serve` in a world of its own, asked over HTTP and by commands. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunDetail } from "../../src/services/index.ts";
import type { Running, World } from "./cli.ts";
import { eventually } from "./eventually.ts";

export interface TestServer {
  readonly url: string;
  readonly token: string;
  readonly process: Running;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** SIGTERM, and waits for the end. @returns the exit code */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** As root the tests' steps run as root, knowingly. */
export const serverEnvironment = {
  // HOME is where tests and their steps meet.
  SHIPINATOR_LOCAL_HOME: "shared",
  ...(process.getuid?.() === 0 ? { SHIPINATOR_LOCAL_USER: "root" } : {}),
};

/** @param port 0: any; a restart asks for the one before, which clients go on with */
export async function startServer(
  world: World,
  port = 0,
  env: Readonly<Record<string, string>> = {},
  launcher?: string,
): Promise<TestServer> {
  const running = world.start(["serve"], {
    ...(launcher === undefined ? {} : { launcher }),
    env: { ...serverEnvironment, SHIPINATOR_LISTEN_ADDRESS: `127.0.0.1:${port}`, ...env },
  });
  await running.said(/serves on (http\S+)/);
  const found: { url: string; pid: number } = JSON.parse(
    readFileSync(join(world.dataDir, "server.json"), "utf8"),
  );
  const token = readFileSync(join(world.dataDir, "admin-token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}` };
  const ask = async (path: string, init: RequestInit = {}) => {
    try {
      return await fetch(`${found.url}${path}`, { ...init, headers: { ...headers, ...init.headers } });
    } catch (error) {
      const { exitCode, signalCode } = running.child;
      if (exitCode === null && signalCode === null) throw error;
      const { output } = await running.ended;
      throw new Error(`The server has ended (exit ${exitCode}, signal ${signalCode}):\n${output}`, {
        cause: error,
      });
    }
  };
  async function answered<T>(response: Response): Promise<T> {
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} of ${response.url}: ${text}`);
    return JSON.parse(text);
  }
  return {
    url: found.url,
    token,
    process: running,
    get: async (path) => answered(await ask(path)),
    post: async (path, body = {}) =>
      answered(
        await ask(path, {
          method: "POST",
          body: JSON.stringify(body),
          headers: { "content-type": "application/json" },
        }),
      ),
    fetch: ask,
    async stop() {
      process.kill(found.pid, "SIGTERM");
      return (await running.ended).code;
    },
    async kill() {
      process.kill(found.pid, "SIGKILL");
      await running.ended;
      await eventually(() => !existsSync(`/proc/${found.pid}`));
    },
  };
}

export const portOf = ({ url }: TestServer): number => Number(new URL(url).port);

/** Waits for the run's end by its events. */
export async function ended(server: TestServer, run: string): Promise<RunDetail> {
  const response = await server.fetch(`/v1/pipeline-runs/${run}/events`, {
    headers: { accept: "text/event-stream" },
  });
  await response.text();
  return await server.get<RunDetail>(`/v1/pipeline-runs/${run}`);
}
