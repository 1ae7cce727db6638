/**
 * An artifact put with SHA-256 against the same put without: same code, same files, same fsyncs; only the digest is
 * left out. Interleaved, so that both see the same disk. Goal: with ≥ 0.8 × the throughput of without.
 */
import { randomFillSync } from "node:crypto";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { argv } from "node:process";
import { openContained, realRoot } from "../src/artifacts/contained-file.ts";
import { type Digest, sha256 } from "../src/artifacts/copy.ts";
import { nodeFileSystem } from "../src/artifacts/file-system.ts";
import { publish } from "../src/artifacts/publish.ts";
import { type ArtifactId, type NodeId, newId, silentLogger, systemClock } from "../src/kernel/index.ts";

const none = (): Digest => ({ update: () => undefined, finish: () => "0".repeat(64) });
const turns = 15;
const mebibytes = Number(argv[2] ?? 64);

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

const directory = await realRoot(await fs.mkdtemp(path.join(os.tmpdir(), "artifact-put-")));
try {
  await fs.writeFile(path.join(directory, "input"), randomFillSync(Buffer.alloc(mebibytes << 20)));
  const base = path.join(directory, "store");
  const writer = { nodeId: newId<NodeId>(), instance: "bench" };
  const shared = {
    base,
    writer,
    files: nodeFileSystem,
    clock: systemClock,
    log: silentLogger,
    minFreeBytes: 0,
  };

  async function put(newDigest: () => Digest): Promise<number> {
    const id = newId<ArtifactId>();
    const began = performance.now();
    const source = await openContained(directory, "input");
    const describe = async () => ({ form: "file" as const, path: "input" });
    await publish({ ...shared, newDigest }, { id, name: "input", type: "binary", source, describe });
    const took = performance.now() - began;
    await fs.rm(path.join(base, id), { recursive: true });
    return took;
  }

  const times: { with: number[]; without: number[] } = { with: [], without: [] };
  await put(none);
  for (let turn = 0; turn < turns; turn += 1) {
    times.with.push(await put(sha256));
    times.without.push(await put(none));
  }
  const [hashed, plain] = [median(times.with), median(times.without)];
  const rate = (ms: number) => `${((mebibytes * 1000) / ms).toFixed(0)} MiB/s`;
  console.log(`artifact put of ${mebibytes} MiB, median of ${turns}, interleaved`);
  console.log(`  with SHA-256     ${hashed.toFixed(1)} ms  ${rate(hashed)}`);
  console.log(`  without          ${plain.toFixed(1)} ms  ${rate(plain)}`);
  console.log(`  ratio            ${(plain / hashed).toFixed(2)}  (goal ≥ 0.80)`);
} finally {
  await fs.rm(directory, { recursive: true });
}
