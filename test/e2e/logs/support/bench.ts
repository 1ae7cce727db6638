/** A log store in a temporary directory. */
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type ExecutionId, newId, silentLogger, systemClock } from "../../../../src/kernel/index.ts";
import {
  createLogStore,
  type LogBytes,
  type LogStore,
  type LogStoreDeps,
} from "../../../../src/logs/index.ts";

export interface Bench extends AsyncDisposable {
  readonly base: string;
  readonly store: LogStore;
  readonly id: ExecutionId;
  /** Another store on the same base, as another process would have. */
  over(deps: Partial<LogStoreDeps>): LogStore;
}

/** A sweep far apart: what arrives in these tests arrives by notification. */
const never = 3_600_000;

export async function openBench(deps: Partial<LogStoreDeps> = {}): Promise<Bench> {
  const base = await fs.mkdtemp(path.join(os.tmpdir(), "logs-"));
  const over = (more: Partial<LogStoreDeps>) =>
    createLogStore({
      base,
      capBytes: 1 << 20,
      clock: systemClock,
      log: silentLogger,
      pollMs: never,
      ...deps,
      ...more,
    });
  return {
    base,
    store: over({}),
    id: newId<ExecutionId>(),
    over,
    [Symbol.asyncDispose]: () => fs.rm(base, { recursive: true, force: true }),
  };
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** All bytes of a follower, checked to come without gap or overlap from `offset`. */
export async function gather(chunks: AsyncIterable<LogBytes>, offset = 0): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let next = offset;
  for await (const chunk of chunks) {
    if (chunk.offset !== next || chunk.bytes.length === 0)
      throw new Error(`expected bytes at ${next}, got ${chunk.bytes.length} at ${chunk.offset}`);
    parts.push(Uint8Array.from(chunk.bytes));
    next += chunk.bytes.length;
  }
  return Buffer.concat(parts);
}
