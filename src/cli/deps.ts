/** Everything of the outside world that the commands touch, so that they run in memory as they run on a terminal. */
import type { Clock } from "../kernel/index.ts";
import type { Client } from "../services/index.ts";

/** One of the two output streams. Writes are in order; after the reader has gone, or one has failed, they do nothing. */
export interface Writer {
  write(chunk: string | Uint8Array): void;
  /** Resolves when little enough is waiting to be taken over, or when nobody takes it any more. */
  drained(): Promise<void>;
  readonly isTTY: boolean;
  /** Cells of the terminal, now; 80 and 24 where there is none. */
  readonly columns: number;
  readonly rows: number;
  /** Aborts when the reader has gone (`| head`), or takes no more (a full disk). */
  readonly gone: AbortSignal;
  /** Resolves when nothing is waiting any more, to what went wrong; that a reader has gone is nothing wrong. */
  flushed(): Promise<Error | null>;
}

export type FileKind = "file" | "directory" | "other" | "absent";

/** A file being written under a temporary name beside its final one. */
export interface PendingFile {
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the bytes durable and gives them their name. @throws Problem conflict when the name is taken meanwhile */
  commit(): Promise<void>;
  /** Removes the temporary file; nothing after `commit`. */
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
  /** The first `limit` bytes of a file. @throws Problem not_found, usage */
  read(path: string, limit: number): Promise<Uint8Array>;
  kind(path: string): Promise<FileKind>;
  /** All of a file. @throws Problem not_found, usage, while it is read */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** Names in a directory, unsorted. @throws Problem not_found, usage */
  names(path: string): Promise<readonly string[]>;
  /** With its parents, for this account alone; fine when it is there. @throws Problem usage */
  makeDirectory(path: string): Promise<void>;
  /** @throws Problem conflict, usage, storage_failed */
  create(file: NewFile): Promise<PendingFile>;
  /** Removes a file; fine when it is not there. @throws Problem usage */
  remove(path: string): Promise<void>;
}

/** `run` carries runs to their end; `read` looks, and records what has finished meanwhile. */
export type ClientMode = "run" | "read";

/** A client and what it stands on. `close` may be called once the command's last question is answered, or to leave. */
export interface Session {
  readonly client: Client;
  /** Where everything is kept: a directory, or a server's address. */
  readonly dataDir: string;
  /** `here`: this process looks, and carries what it starts; `server`: another process does. */
  readonly place: "here" | "server";
  close(): Promise<void>;
}

/** The server that runs on this machine's data directory. */
export interface FoundServer {
  readonly url: string;
  readonly token: string;
  /** Path of its Unix socket, which needs no certificate; null: it has none. */
  readonly socket: string | null;
}

/** A server that has begun to listen. */
export interface RunningServer {
  readonly url: string;
  readonly dataDir: string;
  readonly adminTokenFile: string;
  readonly warnings: readonly string[];
  /** Resolves when it has stopped in order. */
  stop(): Promise<void>;
}

/** A backup that is about to be made. */
export interface OpenBackup extends AsyncDisposable {
  readonly dataDir: string;
  /** To be read once, to its end. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Complete after the last byte. `damage`: what is recorded and could not be kept, a sentence each. */
  summary(): { readonly artifacts: number; readonly logs: number; readonly damage: readonly string[] };
}

export interface Restored {
  readonly dataDir: string;
  /** When the backup was made, RFC 3339, and by which version of the program. */
  readonly createdAt: string;
  readonly program: string;
  readonly artifacts: number;
  readonly logs: number;
  /** Runs that had not ended then. */
  readonly unfinished: number;
}

export interface CliDeps {
  /** Without the program's own two. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: Writer;
  readonly stderr: Writer;
  /** Standard input, at most so many bytes of it. */
  readonly readStdin: (limit: number) => Promise<Uint8Array>;
  /** All of standard input. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  readonly files: Files;
  readonly clock: Clock;
  /** Who asks, recorded with what is asked. */
  readonly login: () => string;
  readonly version: string;
  /** @throws Problem */
  readonly openClient: (options: {
    readonly mode: ClientMode;
    readonly configFile: string | null;
  }) => Promise<Session>;
  /** The server that runs on this data directory, with its admin's token where this account can read it; or null. */
  readonly findServer: (options: { readonly configFile: string | null }) => Promise<FoundServer | null>;
  /** @throws Problem */
  readonly startServer: (options: { readonly configFile: string | null }) => Promise<RunningServer>;
  /** @throws Problem */
  readonly openBackup: (options: {
    readonly configFile: string | null;
    readonly signal: AbortSignal;
  }) => Promise<OpenBackup>;
  /** Into an empty place; what fails leaves it empty. @throws Problem */
  readonly restoreBackup: (options: {
    readonly configFile: string | null;
    readonly bytes: AsyncIterable<Uint8Array>;
    readonly signal: AbortSignal;
  }) => Promise<Restored>;
  /** Calls the handler on Ctrl-C and SIGTERM, instead of ending at once, until the returned function is called. */
  readonly onInterrupt: (handler: () => void) => () => void;
}
