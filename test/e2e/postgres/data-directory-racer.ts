/** One of several threads that make the same directories at the same moment. */
import { parentPort, workerData } from "node:worker_threads";
import { prepareLayout } from "../../../src/postgres/layout.ts";
import { makeDataDirectory } from "../../../src/services/index.ts";

interface Race {
  readonly gate: Int32Array;
  readonly racers: number;
  readonly paths: readonly string[];
}

const { gate, racers, paths }: Race = workerData;
const uid = process.getuid?.() ?? 0;
const environment = { uid, gid: process.getgid?.() ?? 0, kill: process.kill };
const failures: string[] = [];
for (const [round, path] of paths.entries()) {
  // All leave together: the last to come lets the others go.
  Atomics.add(gate, round, 1);
  while (Atomics.load(gate, round) < racers);
  try {
    if (round % 2 === 0) makeDataDirectory(path, uid, [`${path}/logs`, `${path}/work`]);
    else prepareLayout(path, environment);
  } catch (error) {
    failures.push(String(error));
  }
}
parentPort?.postMessage(failures);
