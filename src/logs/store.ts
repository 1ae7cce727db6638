/** The log store: composes segments, sealing and following over one base directory. */
import { mkdirSync } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import { type ExecutionId, errorCode, errorMessage, Problem } from "../kernel/index.ts";
import { append } from "./append.ts";
import { Followers, watchDirectory } from "./follow.ts";
import { digest, seal } from "./seal.ts";
import { extentOf, firstSegment, logDirectory, readInto } from "./segments.ts";
import { tail } from "./tail.ts";
import { createTimeKeeper, readTimes } from "./times.ts";
import type { LogStore, LogStoreDeps } from "./types.ts";

const defaultSweepMs = 2_000;

export function createLogStore(deps: LogStoreDeps): LogStore {
  const { base, capBytes } = deps;
  const { sweepMs = defaultSweepMs, watch = watchDirectory } = deps;
  const followers = new Followers({ clock: deps.clock, log: deps.log, sweepMs, watch });
  const times = createTimeKeeper(deps);
  const directoryOf = (executionId: ExecutionId) => logDirectory(base, executionId);

  return {
    prepare(executionId) {
      const directory = directoryOf(executionId);
      try {
        makeDirectory(directory);
      } catch (error) {
        throw storageFailure(executionId, error);
      }
      return path.join(directory, firstSegment);
    },

    async append(executionId, offset, bytes) {
      const directory = directoryOf(executionId);
      const result = await failing(executionId, append(directory, capBytes, offset, bytes));
      if (bytes.length > 0) await times.note(directory, result.size);
      followers.notify(directory);
      return result;
    },

    keepTimes: (executionId) => times.keep(directoryOf(executionId)),
    endTimes: (executionId) => times.drop(directoryOf(executionId)),
    times: (executionId) => failing(executionId, readTimes(directoryOf(executionId))),

    size: async (executionId) => (await failing(executionId, extentOf(directoryOf(executionId)))).size,

    read: (executionId, { offset, length }) =>
      failing(
        executionId,
        (async () => {
          const directory = directoryOf(executionId);
          const extent = await extentOf(directory);
          const target = new Uint8Array(Math.max(0, Math.min(length, extent.size - offset)));
          return target.subarray(0, await readInto(directory, offset, target, extent));
        })(),
      ),

    tail: (executionId, lines, maxBytes) =>
      failing(executionId, tail(directoryOf(executionId), lines, maxBytes)),

    async seal(executionId) {
      const directory = directoryOf(executionId);
      const sealed = await failing(executionId, seal(directory));
      followers.notify(directory);
      return sealed;
    },

    digest: (executionId, rest) => failing(executionId, digest(directoryOf(executionId), rest)),

    async *follow(executionId, request) {
      try {
        yield* followers.follow(directoryOf(executionId), request);
      } catch (error) {
        throw storageFailure(executionId, error);
      }
    },

    async remove(executionId) {
      const directory = directoryOf(executionId);
      await failing(executionId, fs.rm(directory, { recursive: true, force: true }));
      followers.notify(directory);
    },
  };
}

/** One mkdir; the shard is made only when it turns out to be missing. */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    if (errorCode(error) !== "ENOENT") throw error;
    // Once for each of 256.
    mkdirSync(directory, { recursive: true });
  }
}

async function failing<T>(executionId: ExecutionId, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw storageFailure(executionId, error);
  }
}

function storageFailure(executionId: ExecutionId, error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem("storage_failed", `log of execution ${executionId}: ${errorMessage(error)}`, {
    remedy: "Check the space and the rights of the data directory, then try again.",
    cause: error,
  });
}
