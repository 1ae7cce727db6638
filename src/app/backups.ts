/** Backs up a data directory and its database to one archive, and restores such an archive. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ServerConfig } from "../config/index.ts";
import { errorCode, type Logger, Problem, silentLogger, systemClock } from "../kernel/index.ts";
import { createLogStore } from "../logs/index.ts";
import type { EmbeddedOptions } from "../postgres/index.ts";
import {
  type BackupSummary,
  makeBackup,
  makeDataDirectory,
  type RestoredFiles,
  readSettings,
  restoreFiles,
  restoreMark,
} from "../services/index.ts";
import { type Database, loadDatabase, migrate, openDatabase, openSnapshot } from "../store/index.ts";
import { type Connected, connect } from "./database.ts";

export interface BackupsOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly host: EmbeddedOptions["environment"];
  readonly cwd: string;
  readonly home: string;
  readonly configFile: string | null;
  readonly version: string;
}

export interface OpenBackup extends AsyncDisposable {
  readonly dataDir: string;
  /** Content of the backup. Read it once, to its end. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Summary after the last byte. */
  summary(): BackupSummary;
}

export interface RestoreSummary {
  readonly dataDir: string;
  /** Time of the backup in RFC 3339. */
  readonly createdAt: string;
  readonly program: string;
  readonly artifacts: number;
  readonly logs: number;
  /** Number of runs that had not ended at that time, which will be canceled. */
  readonly unfinished: number;
}

const log: Logger = silentLogger;
const clock = systemClock;

/** @throws Problem not_found when there is no data directory, and the problems of every command */
export async function openBackup(options: BackupsOptions, signal: AbortSignal): Promise<OpenBackup> {
  const config = await loadSettings(options);
  const { dataDir } = config;
  if (!existsSync(dataDir))
    throw new Problem("not_found", "The data directory does not exist.", {
      place: dataDir,
      remedy: "Set another one with SHIPINATOR_DATA_DIR.",
    });
  makeDataDirectory(dataDir, options.host.uid, []);
  await using stack = new AsyncDisposableStack();
  const { database, explain } = await openIn(stack, config, options.host);
  await migrate(database, { log }).catch((error: unknown) => {
    throw explain(error);
  });
  const snapshot = stack.use(await openSnapshot(database.settings, log));
  const logPath = join(dataDir, "logs");
  const backup = makeBackup({
    snapshot,
    artifactPath: config.artifactPath,
    logs: createLogStore({ base: logPath, capBytes: config.local.logCapBytes, clock, log }),
    logPath,
    mirrorPath: join(dataDir, "mirrors"),
    program: options.version,
    now: clock.now(),
    signal,
  });
  const open = stack.move();
  return { ...backup, dataDir, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/**
 * Restores into an empty or absent data directory and an empty database. A failure leaves both unchanged.
 * @throws Problem conflict when they are not empty, config_invalid when the file is not a backup
 */
export async function restoreBackup(
  options: BackupsOptions,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<RestoreSummary> {
  const config = await loadSettings(options);
  const { dataDir, artifactPath } = config;
  for (const path of [dataDir, artifactPath]) requireEmpty(path);
  makeDataDirectory(dataDir, options.host.uid, []);
  const tablePath = restoreMark(dataDir);
  markRestoring(tablePath);
  try {
    const files = await restoreFiles({
      bytes,
      artifactPath,
      logPath: join(dataDir, "logs"),
      mirrorPath: join(dataDir, "mirrors"),
      tablePath,
      signal,
    });
    const unfinished = await restoreDatabase(config, options.host, files);
    rmSync(tablePath, { recursive: true });
    const { createdAt, program, artifacts, logs } = files;
    return { dataDir, createdAt, program, artifacts, logs, unfinished };
  } catch (error) {
    for (const path of [artifactPath, dataDir]) clear(path);
    throw error;
  }
}

async function restoreDatabase(
  config: ServerConfig,
  host: BackupsOptions["host"],
  { migrations, tables }: RestoredFiles,
): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const { database, explain } = await openIn(stack, config, host);
  try {
    return await loadDatabase(database, { migrations, tables, artifactPath: config.artifactPath, log });
  } catch (error) {
    throw explain(error);
  }
}

function loadSettings({ environment, cwd, home, configFile, host }: BackupsOptions): Promise<ServerConfig> {
  return readSettings({ environment, cwd, home, configFile, uid: host.uid });
}

async function openIn(
  stack: AsyncDisposableStack,
  config: ServerConfig,
  host: BackupsOptions["host"],
): Promise<{ readonly database: Database; readonly explain: Connected["explain"] }> {
  const { settings, explain } = await connect({ host, config, clock, log, stack });
  const database = stack.use(openDatabase(settings, { max: 2, applicationName: "shipinator backup", log }));
  return { database, explain };
}

/** Marks the directory, which all other commands then reject. @throws Problem conflict */
function markRestoring(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    throw errorCode(error) === "EEXIST" ? notEmptyProblem(dirname(path)) : error;
  }
  // A command that started earlier may have created its directories.
  if (readdirSync(dirname(path)).every((name) => name === basename(path))) return;
  rmdirSync(path);
  throw notEmptyProblem(dirname(path));
}

/** @throws Problem conflict */
function requireEmpty(path: string): void {
  if (existsSync(path) && readdirSync(path).length > 0) throw notEmptyProblem(path);
}

function notEmptyProblem(path: string): Problem {
  return new Problem(
    "conflict",
    "The directory is not empty, and a backup can only be restored into an empty one.",
    {
      place: path,
      remedy: "Set another one with SHIPINATOR_DATA_DIR, or move its content. Nothing was changed.",
    },
  );
}

function clear(directory: string): void {
  for (const name of existsSync(directory) ? readdirSync(directory) : [])
    rmSync(join(directory, name), { recursive: true, force: true });
}
