/** All external dependencies of the commands, so that tests can run commands in memory. */
import type { Clock } from "../kernel/index.ts";
import type { Client } from "../services/index.ts";

/** An output stream. Writes are in order. They do nothing after the reader has closed the stream or a write has failed. */
export interface Writer {
  write(chunk: string | Uint8Array): void;
  /** Resolves when the buffer has space again, or when the stream is closed. */
  drained(): Promise<void>;
  readonly isTTY: boolean;
  /** Current size of the terminal in cells; 80 by 24 without a terminal. */
  readonly columns: number;
  readonly rows: number;
  /** Aborts when the reader closes the stream (`| head`) or a write fails (a full disk). */
  readonly gone: AbortSignal;
  /** Resolves when everything is written, to the error of a failed write or null. A closed reader is not an error. */
  flushed(): Promise<Error | null>;
}

export type FileKind = "file" | "directory" | "other" | "absent";

/** A file that is written under a temporary name in the directory of its final name. */
export interface PendingFile {
  write(chunk: Uint8Array): Promise<void>;
  /** Syncs the file and renames it to its final name. @throws Problem conflict when the name exists by then */
  commit(): Promise<void>;
  /** Removes the temporary file. It does nothing after `commit`. */
  discard(): Promise<void>;
}

export interface NewFile {
  readonly path: string;
  readonly overwrite: "never" | "replace";
  /** Permission bits, before the umask. */
  readonly mode: number;
}

/** Paths are absolute or relative to the working directory. */
export interface Files {
  /** Reads the first `limit` bytes of a file. @throws Problem not_found, usage */
  read(path: string, limit: number): Promise<Uint8Array>;
  kind(path: string): Promise<FileKind>;
  /** Streams a whole file. Reading throws Problem not_found or usage. */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** Lists the names in a directory, unsorted. @throws Problem not_found, usage */
  names(path: string): Promise<readonly string[]>;
  /** Creates a directory and its parents with access for this account only, unless it exists. @throws Problem usage */
  makeDirectory(path: string): Promise<void>;
  /** @throws Problem conflict, usage, storage_failed */
  create(file: NewFile): Promise<PendingFile>;
  /** Removes a file if it exists. @throws Problem usage */
  remove(path: string): Promise<void>;
}

/** `run` drives runs to their end. `read` only reads, and records executions that have ended. */
export type ClientMode = "run" | "read";

/** A client and its connection. Call `close` after the last request. */
export interface Session {
  readonly client: Client;
  /** The data directory, or the address of the server. */
  readonly dataDir: string;
  /** `local`: this process reads the data directory and drives its runs. `server`: a server does. */
  readonly location: "local" | "server";
  close(): Promise<void>;
}

/** The running server of the data directory on this machine. */
export interface FoundServer {
  readonly url: string;
  readonly token: string;
  /** Path of its Unix socket, which needs no certificate, or null. */
  readonly socket: string | null;
}

/** A server that listens. */
export interface RunningServer {
  readonly url: string;
  readonly dataDir: string;
  readonly adminTokenFile: string;
  readonly warnings: readonly string[];
  /** Resolves when the server has stopped. */
  stop(): Promise<void>;
}

/** A backup that has not been written yet. */
export interface OpenBackup extends AsyncDisposable {
  readonly dataDir: string;
  /** Content of the backup. Read it once, to its end. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Summary after the last byte. `damage` lists recorded items that could not be read, one sentence each. */
  summary(): { readonly artifacts: number; readonly logs: number; readonly damage: readonly string[] };
}

export interface Restored {
  readonly dataDir: string;
  /** Time of the backup in RFC 3339. */
  readonly createdAt: string;
  /** Version of the program that made it. */
  readonly program: string;
  readonly artifacts: number;
  readonly logs: number;
  /** Number of runs that had not ended at that time. */
  readonly unfinished: number;
}

export interface CliDeps {
  /** Arguments without the program and the script. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: Writer;
  readonly stderr: Writer;
  /** Reads standard input up to a number of bytes. */
  readonly readStdin: (limit: number) => Promise<Uint8Array>;
  /** Streams standard input. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  readonly files: Files;
  readonly clock: Clock;
  /** Name of the user, which is recorded with requests. */
  readonly login: () => string;
  readonly version: string;
  /** @throws Problem */
  readonly openClient: (options: {
    readonly mode: ClientMode;
    readonly configFile: string | null;
  }) => Promise<Session>;
  /** Finds the running server of this data directory, or null when there is none or its admin token is not readable. */
  readonly findServer: (options: { readonly configFile: string | null }) => Promise<FoundServer | null>;
  /** @throws Problem */
  readonly startServer: (options: { readonly configFile: string | null }) => Promise<RunningServer>;
  /** @throws Problem */
  readonly openBackup: (options: {
    readonly configFile: string | null;
    readonly signal: AbortSignal;
  }) => Promise<OpenBackup>;
  /** Restores into an empty data directory, which stays empty after a failure. @throws Problem */
  readonly restoreBackup: (options: {
    readonly configFile: string | null;
    readonly bytes: AsyncIterable<Uint8Array>;
    readonly signal: AbortSignal;
  }) => Promise<Restored>;
  /** Calls the handler on Ctrl-C and SIGTERM instead of ending, until the returned function is called. */
  readonly onInterrupt: (handler: () => void) => () => void;
}
