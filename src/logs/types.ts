/** The log store's contract: bytes exactly as the step wrote them, on a filesystem, never decoded. */
import type { Clock, ExecutionId, Logger } from "../kernel/index.ts";

export interface LogStoreDeps {
  /** Absolute directory; made when first written to. */
  readonly base: string;
  /** Bytes of one log that are kept. */
  readonly capBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Milliseconds between looks at a followed log when no notification comes (network filesystems, no inotify left);
   * 2,000 when absent.
   */
  readonly sweepMs?: number;
  /** `notify` when something in the directory changes. The default is node:fs.watch. @throws when it cannot. */
  readonly watch?: WatchDirectory;
}

export type WatchDirectory = (directory: string, notify: () => void) => Disposable;

export type AppendResult =
  /** All bytes up to `size` are kept. */
  | { readonly kind: "stored"; readonly size: number }
  /** The bytes would leave a gap: send from `size`. */
  | { readonly kind: "gap"; readonly size: number }
  /** The cap is reached: nothing beyond `size` will be kept. */
  | { readonly kind: "full"; readonly size: number };

/** So many bytes of the log were there at that moment: what is before was written by then. */
export interface LogTime {
  readonly offset: number;
  readonly at: Date;
}

export interface FollowRequest {
  readonly offset: number;
  /** Ends the iteration at once. */
  readonly signal: AbortSignal;
  /** Aborted once no more bytes will come: the rest is delivered, then the iteration ends. So it does when sealed. */
  readonly ended: AbortSignal;
}

export interface LogBytes {
  readonly offset: number;
  /** Shared between readers: not to be written to. */
  readonly bytes: Uint8Array;
}

/**
 * A log is a directory of segments named by start offset. Life: `prepare`, then either one writer streams into segment
 * 0 by itself (the local executor's pump), or `append` adds segments; `seal` merges them and ends it; `remove`. All of
 * it may run at the same time in several processes; reads may come before the first byte and during the seal. A log
 * that does not exist has 0 bytes.
 */
export interface LogStore {
  /** Makes the directory and returns the path of segment 0, which its writer creates. Synchronous: it is on the way of
   * every step, and a thread-pool turn costs more than the mkdir. Idempotent. @throws Problem storage_failed */
  prepare(executionId: ExecutionId): string;
  /**
   * Adds bytes at an offset. Repeats and overlaps with equal bytes are fine.
   * @throws Problem conflict: other bytes are kept there, or the log is sealed before the end of these.
   */
  append(executionId: ExecutionId, offset: number, bytes: Uint8Array): Promise<AppendResult>;
  /**
   * From now on it is noted, about once a second, how much of segment 0 is there. For a log with a writer of its own;
   * what is appended is timed by itself.
   */
  keepTimes(executionId: ExecutionId): void;
  endTimes(executionId: ExecutionId): void;
  /** What was noted, in order. Empty for a log that nobody watched, or that was over within a second. */
  times(executionId: ExecutionId): Promise<readonly LogTime[]>;
  /** Bytes kept so far. */
  size(executionId: ExecutionId): Promise<number>;
  /** At most `length` bytes from `offset`; fewer only at the present end. */
  read(
    executionId: ExecutionId,
    range: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array>;
  /** The last lines, undecoded; at most `maxBytes` of them. */
  tail(executionId: ExecutionId, lines: number, maxBytes: number): Promise<Uint8Array>;
  /** Merges the segments into one read-only file. Idempotent and safe to interrupt anywhere; nothing is added later. */
  seal(executionId: ExecutionId): Promise<{ readonly bytes: number }>;
  /** Length and lower-case hex SHA-256 of the bytes kept and of `rest`, to compare with a final report. */
  digest(
    executionId: ExecutionId,
    rest?: Uint8Array,
  ): Promise<{ readonly bytes: number; readonly sha256: string }>;
  /**
   * Bytes from an offset as they come. One watch per log serves all its followers; each has at most one chunk in hand,
   * and one that does not read holds up nobody.
   */
  follow(executionId: ExecutionId, request: FollowRequest): AsyncIterable<LogBytes>;
  /** Fine when it is absent. */
  remove(executionId: ExecutionId): Promise<void>;
}
