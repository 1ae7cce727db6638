/**
 * What a log costs around its bytes: `prepare` on the way of every step (goal ≤ 0.1 ms), `seal` after it, and 64 MiB
 * read back through `follow` against plain reads of the file.
 */
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type ExecutionId, newId, silentLogger, systemClock } from "../src/kernel/index.ts";
import { createLogStore } from "../src/logs/index.ts";

const turns = 9;
/** Enough that all 256 directories are there before the steps that count. */
const warmup = 2_000;
const steps = 500;
const bytes = 64 << 20;
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

const base = await fs.mkdtemp(path.join(os.tmpdir(), "log-read-"));
try {
  const store = createLogStore({ base, capBytes: bytes, clock: systemClock, log: silentLogger });

  const prepared: number[] = [];
  const sealed: number[] = [];
  for (let step = 0; step < warmup; step += 1) store.prepare(newId<ExecutionId>());
  for (let step = 0; step < steps; step += 1) {
    const id = newId<ExecutionId>();
    let began = performance.now();
    const file = store.prepare(id);
    prepared.push(performance.now() - began);
    await fs.writeFile(file, "a line\n");
    began = performance.now();
    await store.seal(id);
    sealed.push(performance.now() - began);
  }

  const id = newId<ExecutionId>();
  const file = store.prepare(id);
  await fs.writeFile(file, Buffer.alloc(bytes, "a line of a log\n"));
  const ended = AbortSignal.abort();

  async function follow(): Promise<number> {
    const began = performance.now();
    let seen = 0;
    const request = { offset: 0, signal: new AbortController().signal, ended };
    for await (const chunk of store.follow(id, request)) seen += chunk.bytes.length;
    if (seen !== bytes) throw new Error(`followed ${seen} of ${bytes} bytes`);
    return performance.now() - began;
  }

  async function plain(): Promise<number> {
    const began = performance.now();
    const handle = await fs.open(file);
    const buffer = new Uint8Array(64 * 1024);
    while ((await handle.read(buffer)).bytesRead > 0);
    await handle.close();
    return performance.now() - began;
  }

  const times: { follow: number[]; plain: number[] } = { follow: [], plain: [] };
  for (let turn = 0; turn < turns; turn += 1) {
    times.follow.push(await follow());
    times.plain.push(await plain());
  }
  console.log(
    `prepare                 ${median(prepared).toFixed(3)} ms, median of ${steps}  (goal ≤ 0.100)`,
  );
  console.log(`seal of one segment     ${median(sealed).toFixed(3)} ms`);
  console.log(`64 MiB through follow   ${median(times.follow).toFixed(0)} ms, median of ${turns}`);
  console.log(`64 MiB of plain reads   ${median(times.plain).toFixed(0)} ms`);
} finally {
  await fs.rm(base, { recursive: true });
}
