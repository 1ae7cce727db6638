/** Data directories and real processes on them; whatever is left at the end of a test is ended here. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach } from "vitest";
import { silentLogger, systemClock } from "../../../src/kernel/index.ts";
import {
  type EmbeddedOptions,
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from "../../../src/postgres/index.ts";
import type { Layout } from "../../../src/postgres/layout.ts";
import { sight, stopPostmaster } from "../../../src/postgres/postmaster.ts";
import { thisProcess } from "../../support/postgres-server.ts";

const program = fileURLToPath(new URL("holder.ts", import.meta.url));
export const isRoot = process.getuid?.() === 0;

const directories: string[] = [];
const children = new Set<ChildProcess>();

afterEach(async () => {
  for (const child of children) {
    const closed = once(child, "close");
    if (child.kill("SIGKILL")) await closed;
  }
  for (const directory of directories.splice(0)) {
    const pid = serverOf(directory);
    const layout = layoutOf(directory);
    if (pid !== undefined) {
      await stopPostmaster(pid, {
        layout,
        environment: thisProcess(),
        clock: systemClock,
        log: silentLogger,
      });
    }
    await rm(directory, { recursive: true, force: true });
  }
});

/** An empty directory, gone with the test; everybody may walk through it. */
export async function newDirectory(prefix = "shipinator-embedded-"): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), prefix));
  await chmod(directory, 0o711);
  directories.push(directory);
  return directory;
}

let seed: Promise<string> | undefined;

afterAll(async () => {
  if (seed !== undefined) await rm(await seed, { recursive: true });
});

/** A directory that was used before: making a database takes longer than most tests. */
export async function usedDirectory(): Promise<string> {
  seed ??= makeSeed();
  const directory = await newDirectory();
  await promisify(execFile)("cp", ["-a", `${await seed}/.`, directory]);
  return directory;
}

async function makeSeed(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "shipinator-seed-"));
  await (await startHere(directory)).stop();
  return directory;
}

export function startHere(
  dataDir: string,
  changes: Partial<EmbeddedOptions> = {},
): Promise<EmbeddedPostgres> {
  const options = { dataDir, environment: thisProcess(), clock: systemClock, log: silentLogger };
  return startEmbeddedPostgres({ ...options, ...changes });
}

export function layoutOf(dataDir: string): Layout {
  const home = join(dataDir, "postgres");
  return {
    dataDir,
    home,
    data: join(home, "data"),
    logFile: join(home, "postgres.log"),
    ownerFile: join(dataDir, "owner.json"),
  };
}

/** Process id of the server that runs on the directory. */
export function serverOf(dataDir: string): number | undefined {
  return sight(layoutOf(dataDir), thisProcess()).alive?.pid;
}

export interface Answer {
  readonly ready?: { readonly pid: number; readonly started: boolean };
  readonly rows?: number;
  readonly stopped?: boolean;
  readonly problem?: { readonly code: string; readonly message: string; readonly remedy?: string };
}

export interface Holder {
  readonly child: ChildProcess;
  /** The next line it says; an empty answer when it has ended. */
  answer(): Promise<Answer>;
  tell(command: "row" | "stop"): Promise<Answer>;
  /** kill -9. */
  kill(): Promise<void>;
}

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export function startHolder(dataDir: string, options: { as?: Identity; user?: string } = {}): Holder {
  const args = [program, dataDir, ...(options.user === undefined ? [] : [options.user])];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], ...options.as });
  children.add(child);
  const closed = once(child, "close").then(() => children.delete(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Answer> => {
    const line = await lines.next();
    return line.done === true ? {} : JSON.parse(line.value);
  };
  return {
    child,
    answer,
    async tell(command) {
      child.stdin.write(`${command}\n`);
      return await answer();
    },
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** An ordinary account, when root may lend one that can read this checkout; the tests then run as it as well. */
export function ordinaryAccount(): Identity | undefined {
  if (!isRoot) return undefined;
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"));
  const readable = [program, process.execPath].every(everybodyMayReach);
  return nobody === null || !readable ? undefined : { uid: Number(nobody[1]), gid: Number(nobody[2]) };
}

function everybodyMayReach(path: string): boolean {
  if (!existsSync(path) || (statSync(path).mode & 0o004) === 0) return false;
  for (let part = dirname(path); part !== dirname(part); part = dirname(part)) {
    if ((statSync(part).mode & 0o001) === 0) return false;
  }
  return true;
}
