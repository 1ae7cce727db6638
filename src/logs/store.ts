/** Log store in one base directory. */
import { mkdirSync } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import { type ExecutionId, errorCode, errorMessage, Problem } from "../kernel/index.ts";
import { append } from "./append.ts";
import { Followers, watchDirectory } from "./follow.ts";
import { digest, seal } from "./seal.ts";
import { extentOf, firstSegment, logDirectory, readInto } from "./segments.ts";
import { tail } from "./tail.ts";
import { createTimeRecorder, readTimes } from "./times.ts";
import type { LogStore, LogStoreDeps } from "./types.ts";

const defaultPollMs = 2_000;

export function createLogStore(deps: LogStoreDeps): LogStore {
  const { base, capBytes } = deps;
  const { pollMs = defaultPollMs, watch = watchDirectory } = deps;
  const followers = new Followers({ clock: deps.clock, log: deps.log, pollMs, watch });
  const times = createTimeRecorder(deps);
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
      if (bytes.length > 0) await times.record(directory, result.size);
      followers.notify(directory);
      return result;
    },

    startTimes: (executionId) => times.start(directoryOf(executionId)),
    endTimes: (executionId) => times.stop(directoryOf(executionId)),
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

/** Makes the parent only if it is missing, to save a system call. */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    if (errorCode(error) !== "ENOENT") throw error;
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
  return new Problem(
    "storage_failed",
    `The log of execution ${executionId} failed: ${errorMessage(error)}.`,
    {
      remedy: "Check the space and permissions of the data directory, then try again.",
      cause: error,
    },
  );
}
