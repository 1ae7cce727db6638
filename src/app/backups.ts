/** Keeps everything of a data directory, and its database, in one archive; and makes a new one from such an archive. */
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
  /** To be read once, to its end. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Complete after the last byte. */
  summary(): BackupSummary;
}

export interface RestoreSummary {
  readonly dataDir: string;
  /** When the backup was made, RFC 3339, and by which version. */
  readonly createdAt: string;
  readonly program: string;
  readonly artifacts: number;
  readonly logs: number;
  /** Runs that had not ended then, and are to be canceled. */
  readonly unfinished: number;
}

const log: Logger = silentLogger;
const clock = systemClock;

/** @throws Problem not_found where there is nothing to keep, and as every command does */
export async function openBackup(options: BackupsOptions, signal: AbortSignal): Promise<OpenBackup> {
  const config = await settingsOf(options);
  const { dataDir } = config;
  if (!existsSync(dataDir))
    throw new Problem("not_found", "there is nothing to keep: the data directory does not exist", {
      place: dataDir,
      remedy: "Name another one with SHIPINATOR_DATA_DIR.",
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
 * Into a data directory that is empty or absent, and an empty database. What fails leaves both as they were.
 * @throws Problem conflict when they are not, config_invalid for what is no backup
 */
export async function restoreBackup(
  options: BackupsOptions,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<RestoreSummary> {
  const config = await settingsOf(options);
  const { dataDir, artifactPath } = config;
  for (const path of [dataDir, artifactPath]) refuseFilled(path);
  makeDataDirectory(dataDir, options.host.uid, []);
  const tablePath = restoreMark(dataDir);
  mark(tablePath);
  try {
    const files = await restoreFiles({
      bytes,
      artifactPath,
      logPath: join(dataDir, "logs"),
      mirrorPath: join(dataDir, "mirrors"),
      tablePath,
      signal,
    });
    const unfinished = await fillDatabase(config, options.host, files);
    rmSync(tablePath, { recursive: true });
    const { createdAt, program, artifacts, logs } = files;
    return { dataDir, createdAt, program, artifacts, logs, unfinished };
  } catch (error) {
    for (const path of [artifactPath, dataDir]) empty(path);
    throw error;
  }
}

async function fillDatabase(
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

function settingsOf({ environment, cwd, home, configFile, host }: BackupsOptions): Promise<ServerConfig> {
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

/** From here on every other command refuses the directory. @throws Problem conflict */
function mark(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    throw errorCode(error) === "EEXIST" ? filled(dirname(path)) : error;
  }
  // A command that began just before has made its own directories.
  if (readdirSync(dirname(path)).every((name) => name === basename(path))) return;
  rmdirSync(path);
  throw filled(dirname(path));
}

/** @throws Problem conflict */
function refuseFilled(path: string): void {
  if (existsSync(path) && readdirSync(path).length > 0) throw filled(path);
}

function filled(path: string): Problem {
  return new Problem("conflict", "a backup is restored into an empty place, and this is not empty", {
    place: path,
    remedy: "Name another one with SHIPINATOR_DATA_DIR, or move what is there away. Nothing was touched.",
  });
}

function empty(directory: string): void {
  for (const name of existsSync(directory) ? readdirSync(directory) : [])
    rmSync(join(directory, name), { recursive: true, force: true });
}
