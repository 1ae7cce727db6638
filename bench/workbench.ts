/** A Shipinator of its own in a temporary directory, and what the floors are measured with. */
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, openApp } from "../src/app/command.ts";
import { brandId, type RunId } from "../src/kernel/index.ts";

export interface Workbench extends AsyncDisposable {
  readonly directory: string;
  readonly dataDir: string;
  readonly app: App;
}

export async function createWorkbench(environment: Record<string, string> = {}): Promise<Workbench> {
  return await openWorkbench(temporaryDirectory(), environment);
}

/** On the data directory in this one, beside what else runs on it. */
export async function openWorkbench(
  directory: string,
  environment: Record<string, string> = {},
): Promise<Workbench> {
  const dataDir = join(directory, "data");
  const app = await openApp(appOptions(dataDir, environment));
  await app.open();
  return {
    directory,
    dataDir,
    app,
    async [Symbol.asyncDispose]() {
      await app.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Removed when the process ends. For root, Postgres' account must be able to walk through. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "shipinator-bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o711);
  return directory;
}

function appOptions(dataDir: string, environment: Record<string, string>): Parameters<typeof openApp>[0] {
  return {
    environment: { ...process.env, ...environment, SHIPINATOR_DATA_DIR: dataDir },
    cwd: "/",
    home: process.env.HOME ?? "/",
    login: () => "bench",
    configFile: null,
    mode: "run",
    host: {
      pid: process.pid,
      platform: process.platform,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      node: process.execPath,
      kill: (pid, signal) => process.kill(pid, signal),
      writeLog: (line) => process.stderr.write(line),
      logForm: "json",
    },
  };
}

/** A directory whose pipeline is so many no-op steps in one job. */
export function noopPipeline(parent: string, steps: number): string {
  const directory = mkdtempSync(join(parent, `noop-${steps}-`));
  const lines = Array.from({ length: steps }, (_, i) => `    - { name: s${i}, run: ":" }`);
  writeFileSync(join(directory, ".shipinator.yaml"), `build:\n  steps:\n${lines.join("\n")}\n`);
  return directory;
}

/** Accepts a run of the directory and waits for its end; gives milliseconds from accepted to final. */
export async function runToEnd(bench: Workbench, directory: string): Promise<number> {
  const { accepted, final } = await runOnce(bench, directory);
  return final - accepted;
}

interface RunTimes {
  readonly runId: RunId;
  /** Milliseconds of `performance.now()`. */
  readonly accepted: number;
  readonly final: number;
}

/** @throws Error when the run does not succeed */
export async function runOnce({ app }: Workbench, directory: string): Promise<RunTimes> {
  const { orchestrator, store } = await app.open();
  const ended = Promise.withResolvers<number>();
  let runId: RunId | null = null;
  let last = 0;
  const off = orchestrator.onRecorded((_changes, changed) => {
    if (runId === null || changed === runId) last = performance.now();
  });
  const { run } = await app.client.trigger(
    { source: { kind: "directory", path: directory, ref: null }, only: null, by: "bench" },
    new AbortController().signal,
  );
  const accepted = performance.now();
  const id = brandId<RunId>(run.id);
  runId = id;
  const look = setInterval(async () => {
    const now = await store.runs.get(id);
    if (now?.status === "success") ended.resolve(last);
    else if (now?.finished_at) ended.reject(new Error(`the run ended ${now.status}: ${now.failure_message}`));
  }, 20);
  try {
    return { runId: id, accepted, final: await ended.promise };
  } finally {
    clearInterval(look);
    off();
  }
}

/** Runs a program to its end; gives its exit status. */
export function exited(program: string, args: readonly string[], cwd?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "ignore", ...(cwd === undefined ? {} : { cwd }) });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
