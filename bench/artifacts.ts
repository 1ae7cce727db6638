/**
 * A put of an artifact with SHA-256 against the same put without: same code, same file, same fsyncs; only the digest is
 * left out.
 */
import { randomFillSync } from "node:crypto";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { openContained, realRoot } from "../src/artifacts/store/contained-file.ts";
import { type Digest, sha256 } from "../src/artifacts/store/copy.ts";
import { nodeFileSystem } from "../src/artifacts/store/file-system.ts";
import { publish } from "../src/artifacts/store/publish.ts";
import { type ArtifactId, type InstanceId, newId, silentLogger, systemClock } from "../src/kernel/index.ts";
import { compare, type Outcome, timed } from "./harness.ts";

const mebibytes = 64;
const noDigest = (): Digest => ({ update: () => undefined, finish: () => "0".repeat(64) });

export async function benchArtifacts(rounds: number): Promise<Outcome[]> {
  const directory = await realRoot(await fs.mkdtemp(path.join(os.tmpdir(), "shipinator-bench-artifacts-")));
  try {
    await fs.writeFile(path.join(directory, "input"), randomFillSync(Buffer.alloc(mebibytes << 20)));
    const put = putInto(directory);
    await put(noDigest);
    const outcome = await compare({
      title: `an artifact put of ${mebibytes} MiB`,
      rounds,
      contenders: [
        { name: "with SHA-256", measure: () => put(sha256) },
        { name: "without", measure: () => put(noDigest) },
      ],
      limits: [{ subject: "with SHA-256", of: "without", most: 1 / 0.8 }],
    });
    return [outcome];
  } finally {
    await fs.rm(directory, { recursive: true });
  }
}

function putInto(directory: string): (newDigest: () => Digest) => Promise<number> {
  const base = path.join(directory, "store");
  const shared = {
    base,
    writer: { nodeId: newId<InstanceId>(), instance: "bench" },
    files: nodeFileSystem,
    clock: systemClock,
    log: silentLogger,
    minFreeBytes: 0,
  };
  return async (newDigest) => {
    const id = newId<ArtifactId>();
    const took = await timed(async () => {
      const source = await openContained({ root: directory }, "input");
      const describe = async () => ({ form: "file" as const, path: "input" });
      await publish({ ...shared, newDigest }, { id, name: "input", type: "binary", source, describe });
    });
    await fs.rm(path.join(base, id), { recursive: true });
    return took;
  };
}
