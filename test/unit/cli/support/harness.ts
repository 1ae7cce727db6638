/** Runs the command line in memory. */
// What commands load when they are asked for is loaded here, so that time need not stand still for it.
import "../../../../src/cli/arguments.ts";
import "../../../../src/cli/commands/runs/artifacts.ts";
import "../../../../src/cli/commands/runs/download.ts";
import "../../../../src/cli/commands/file/init.ts";
import "../../../../src/cli/commands/runs/list.ts";
import "../../../../src/cli/commands/runs/logs.ts";
import "../../../../src/cli/commands/runs/run.ts";
import "../../../../src/cli/commands/runs/status.ts";
import "../../../../src/cli/commands/file/validate.ts";
import { type CliDeps, createProgram, type Files, type Writer } from "../../../../src/cli/index.ts";
import { Problem } from "../../../../src/kernel/index.ts";
import type { Client } from "../../../../src/services/index.ts";
import { createScreen, type Screen } from "../../../support/screen.ts";
import { createManualClock, type ManualClock } from "./clock.ts";

export interface MemoryWriter extends Writer {
  readonly bytes: () => Buffer;
  readonly text: () => string;
  readonly screen: Screen;
  readonly writes: string[];
  columns: number;
  leave(): void;
  /** From now on nothing more can be written. */
  fail(error: Error): void;
}

export interface WriterShape {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export function createMemoryWriter({
  isTTY = false,
  columns = 80,
  rows = 24,
}: WriterShape = {}): MemoryWriter {
  const chunks: Buffer[] = [];
  const writes: string[] = [];
  const gone = new AbortController();
  let failure: Error | null = null;
  const screen = createScreen({ columns, rows });
  return {
    isTTY,
    columns,
    rows,
    screen,
    writes,
    gone: gone.signal,
    write(chunk) {
      if (gone.signal.aborted) return;
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      writes.push(bytes.toString());
      if (isTTY) screen.write(bytes.toString());
    },
    drained: async () => {},
    bytes: () => Buffer.concat(chunks),
    text: () => Buffer.concat(chunks).toString(),
    flushed: async () => failure,
    leave: () => gone.abort(),
    fail(error) {
      failure = error;
      gone.abort();
    },
  };
}

/** Files in memory: path → text; a path that ends in `/` is a directory. */
export function createMemoryFiles(content: Map<string, string | Uint8Array>): Files {
  const normal = (path: string) => path.replace(/^\.\//, "");
  return {
    async read(path, limit) {
      const found = content.get(normal(path));
      if (found === undefined)
        throw new Problem("not_found", `The file or directory ${path} does not exist.`);
      return Buffer.from(found).subarray(0, limit);
    },
    async *stream(path) {
      yield await this.read(path, Number.MAX_SAFE_INTEGER);
    },
    async kind(path) {
      if (path === "." || content.has(`${normal(path)}/`)) return "directory";
      return content.has(normal(path)) ? "file" : "absent";
    },
    async names() {
      return [...content.keys()].map((path) => path.replace(/\/$/, "")).filter((path) => !path.includes("/"));
    },
    async makeDirectory() {},
    async remove(path) {
      content.delete(normal(path));
    },
    async create({ path, overwrite }) {
      const parts: Uint8Array[] = [];
      if (overwrite === "never" && content.has(normal(path)))
        throw new Problem("conflict", `${path} already exists.`);
      return {
        async write(chunk) {
          parts.push(chunk);
        },
        async commit() {
          content.set(normal(path), Buffer.concat(parts));
        },
        async discard() {},
      };
    },
  };
}

export interface HarnessOptions {
  readonly argv: readonly string[];
  readonly client?: Client;
  readonly stdout?: WriterShape;
  readonly stderr?: WriterShape;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly files?: ReadonlyMap<string, string | Uint8Array>;
  readonly stdin?: string;
  readonly clock?: ManualClock;
  readonly openClient?: CliDeps["openClient"];
}

export interface Harness {
  readonly stdout: MemoryWriter;
  readonly stderr: MemoryWriter;
  readonly clock: ManualClock;
  readonly files: Map<string, string | Uint8Array>;
  /** Modes of the clients that were opened, and how many were closed. */
  readonly opened: string[];
  readonly closed: () => number;
  readonly interrupt: () => void;
  /** Handlers of interrupts that are installed. */
  readonly listening: () => number;
  readonly code: Promise<number>;
}

/** Starts a command; time stands still unless the test moves it. */
export function start(options: HarnessOptions): Harness {
  const stdout = createMemoryWriter(options.stdout);
  const stderr = createMemoryWriter(options.stderr);
  const clock = options.clock ?? createManualClock();
  const files = new Map(options.files ?? []);
  const handlers = new Set<() => void>();
  const opened: string[] = [];
  let closed = 0;
  const program = createProgram({
    argv: options.argv,
    environment: options.environment ?? {},
    cwd: "/home/ada/hello",
    stdout,
    stderr,
    readStdin: async (limit) => Buffer.from(options.stdin ?? "").subarray(0, limit),
    async *stdin() {
      yield Buffer.from(options.stdin ?? "");
    },
    files: createMemoryFiles(files),
    clock,
    login: () => "ada",
    version: "1.2.3",
    async openClient(how) {
      opened.push(how.mode);
      if (options.openClient !== undefined) return await options.openClient(how);
      if (options.client === undefined) throw new Problem("environment", "no client in this test");
      const close = async () => {
        closed += 1;
      };
      return { client: options.client, dataDir: "/data", location: "local", close };
    },
    findServer: async () => null,
    startServer: () => Promise.reject(new Error("no server in this test")),
    openBackup: () => Promise.reject(new Error("no backup in this test")),
    restoreBackup: () => Promise.reject(new Error("no restore in this test")),
    onInterrupt(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  });
  return {
    stdout,
    stderr,
    clock,
    files,
    opened,
    closed: () => closed,
    interrupt: () => {
      for (const handler of handlers) handler();
    },
    listening: () => handlers.size,
    code: program.run(),
  };
}

/** Moves time until the condition holds. */
export async function until({ clock, stdout, stderr }: Harness, condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000; turn += 1) {
    if (condition()) return;
    await clock.advance(10);
  }
  throw new Error(`it does not come about; the command said:\n${stdout.text()}${stderr.text()}`);
}

/** Moves time until the command has ended. */
export async function finish(harness: Harness): Promise<number> {
  let ended = false;
  const code = harness.code.finally(() => {
    ended = true;
  });
  await until(harness, () => ended);
  return await code;
}
