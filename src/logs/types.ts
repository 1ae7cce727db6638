/** Contract of the log store: bytes exactly as the step wrote them, on a filesystem, never decoded. */
import type { Clock, ExecutionId, Logger } from "../kernel/index.ts";

export interface LogStoreDeps {
  /** Absolute directory. The first write creates it. */
  readonly base: string;
  /** Maximum size of one log in bytes. */
  readonly capBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Milliseconds between polls of a followed log, for network filesystems and systems without free inotify watches.
   * Default 2,000.
   */
  readonly pollMs?: number;
  /** Calls `notify` when something in the directory changes. Default node:fs.watch. @throws if it cannot watch */
  readonly watch?: WatchDirectory;
}

export type WatchDirectory = (directory: string, notify: () => void) => Disposable;

export type AppendResult =
  /** All bytes up to `size` are stored. */
  | { readonly kind: "stored"; readonly size: number }
  /** The bytes would leave a gap. Send from `size`. */
  | { readonly kind: "gap"; readonly size: number }
  /** The cap is reached. Bytes beyond `size` are dropped. */
  | { readonly kind: "full"; readonly size: number };

/** The bytes before `offset` were written by `at`. */
export interface LogTime {
  readonly offset: number;
  readonly at: Date;
}

export interface FollowRequest {
  readonly offset: number;
  /** Ends the iteration at once. */
  readonly signal: AbortSignal;
  /** Aborts when no more bytes will come. The iteration then delivers the rest and ends, as for a sealed log. */
  readonly ended: AbortSignal;
}

export interface LogBytes {
  readonly offset: number;
  /** Shared between readers, so read-only. */
  readonly bytes: Uint8Array;
}

/**
 * A log is a directory of segments named by start offset. Lifecycle: `prepare`; then one writer streams into segment 0
 * itself (the local executor's log writer), or `append` adds segments; `seal` merges them; `remove`. All methods may run
 * concurrently in several processes. Reads may come before the first byte and during the seal. A log that does not exist
 * has 0 bytes.
 */
export interface LogStore {
  /**
   * Makes the directory and returns the path of segment 0, which its writer creates. Synchronous, because every step
   * waits for it and the thread pool costs more than the mkdir. Idempotent. @throws Problem storage_failed
   */
  prepare(executionId: ExecutionId): string;
  /**
   * Adds bytes at an offset. Repeats and overlaps with equal bytes are allowed.
   * @throws Problem conflict: the log has other bytes there, or is sealed before the end of these
   */
  append(executionId: ExecutionId, offset: number, bytes: Uint8Array): Promise<AppendResult>;
  /**
   * Records the size of segment 0 about once a second, until `endTimes`. For a log with its own writer: `append` records
   * times itself.
   */
  startTimes(executionId: ExecutionId): void;
  endTimes(executionId: ExecutionId): void;
  /** Recorded times in order. Empty for a log that was not recorded or ended within a second. */
  times(executionId: ExecutionId): Promise<readonly LogTime[]>;
  /** Number of bytes so far. */
  size(executionId: ExecutionId): Promise<number>;
  /** Reads `length` bytes from `offset`, or fewer at the current end. */
  read(
    executionId: ExecutionId,
    range: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array>;
  /** Reads the last lines, undecoded, at most `maxBytes`. */
  tail(executionId: ExecutionId, lines: number, maxBytes: number): Promise<Uint8Array>;
  /** Merges the segments into one read-only file and ends the log. Idempotent and safe to interrupt anywhere. */
  seal(executionId: ExecutionId): Promise<{ readonly bytes: number }>;
  /** Length and lower-case hex SHA-256 of the log followed by `rest`, to compare with a final report. */
  digest(
    executionId: ExecutionId,
    rest?: Uint8Array,
  ): Promise<{ readonly bytes: number; readonly sha256: string }>;
  /**
   * Streams bytes from an offset. One watch per log serves all its followers. Each buffers at most one chunk, and a slow
   * one delays no other.
   */
  follow(executionId: ExecutionId, request: FollowRequest): AsyncIterable<LogBytes>;
  /** Removes a log. Succeeds if it is absent. */
  remove(executionId: ExecutionId): Promise<void>;
}
