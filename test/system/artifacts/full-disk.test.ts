import { execFileSync } from "node:child_process";
import fs from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { newId } from "../../../src/kernel/index.ts";
import { asFile, chunked, openBench, random } from "../../e2e/artifacts/support/bench.ts";

/** Needs root: a filesystem of 4 MiB is mounted under the store. */
describe("an artifact store on a disk that runs full", () => {
  it("keeps nothing of the put that does not fit, and all of those before and after it", async () => {
    await using bench = await openBench();
    await fs.mkdir(bench.base);
    execFileSync("sh", ["-c", 'mount -t tmpfs -o size=4m tmpfs "$0"', bench.base]);
    try {
      const small = await bench.putBytes(random(1_000_000));
      const put = bench.putBytes(random(6_000_000));
      await expect(put).rejects.toMatchObject({
        code: "storage_failed",
        message: expect.stringContaining("ENOSPC"),
        remedy: expect.stringContaining("Free space"),
      });
      expect([await bench.visible(), await bench.temporary()]).toEqual([[small.id], []]);
      await bench.store.verify(small);
      await bench.store.verify(await bench.putBytes(random(1_000_000)));

      const source = { file: path.join(bench.workspace, "input") };
      await bench.write({ input: random(1_500_000) });
      const careful = bench.over({}, 1_000_000);
      const request = {
        id: newId<typeof small.id>(),
        name: "app",
        type: "binary",
        metadata: asFile,
      } as const;
      await expect(careful.put({ ...request, source })).rejects.toThrow("bytes are free");
      await careful.put({ ...request, source: chunked(random(100), 10) });
    } finally {
      execFileSync("sh", ["-c", 'umount "$0"', bench.base]);
    }
  });
});
