import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";

const racers = 2;
const rounds = 400;

it("two first commands at once make one home, however deep it lies", async () => {
  const root = mkdtempSync(join(tmpdir(), "shipinator-race-"));
  try {
    const paths = Array.from({ length: rounds }, (_, round) => join(root, `${round}`, "share", "shipinator"));
    const gate = new Int32Array(new SharedArrayBuffer(4 * rounds));
    const failures = await Promise.all(
      Array.from({ length: racers }, async () => {
        const worker = new Worker(new URL("./data-directory-racer.ts", import.meta.url), {
          workerData: { gate, racers, paths },
        });
        const { promise, resolve, reject } = Promise.withResolvers<string[]>();
        worker.once("message", resolve).once("error", reject);
        return await promise;
      }),
    );
    expect(failures.flat()).toEqual([]);
    for (const path of paths) expect(statSync(path).isDirectory()).toBe(true);
  } finally {
    rmSync(root, { recursive: true });
  }
});
