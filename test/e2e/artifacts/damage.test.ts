import fs from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asFile, asInput, collect, openBench, random } from "./support/bench.ts";

const size = 700_001;

describe("a damaged payload", () => {
  it("never completes, wherever a bit has flipped, and names the artifact", async () => {
    await using bench = await openBench();
    const bytes = Buffer.from(random(size));
    const reference = await bench.putBytes(bytes);
    const payload = path.join(bench.base, reference.id, "payload");
    const places = fc.record({ at: fc.nat({ max: size - 1 }), bit: fc.nat({ max: 7 }) });
    await fc.assert(
      fc.asyncProperty(places, async ({ at, bit }) => {
        const damaged = Buffer.from(bytes);
        damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << bit), at);
        await fs.writeFile(payload, damaged);
        const read = await collect(bench.store.open(reference));
        expect(read.error).toMatchObject({
          code: "artifact_corrupt",
          message: expect.stringContaining(reference.id),
        });
        expect(read.bytes.length).toBeLessThan(size);
        // A range elsewhere does not complete either.
        const range = { start: 10, end: 20 };
        expect((await collect(bench.store.open(reference, range))).bytes.length).toBe(0);
      }),
      { numRuns: 15, examples: [[{ at: size - 1, bit: 0 }], [{ at: 0, bit: 7 }]] },
    );
  });

  it.each([0, 1, 262_144, size - 1])("never completes when it was cut to %i bytes", async (left) => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(size));
    await fs.truncate(path.join(bench.base, reference.id, "payload"), left);
    const read = await collect(bench.store.open(reference));
    expect(read.error).toMatchObject({
      code: "artifact_corrupt",
      message: expect.stringContaining(`${left} bytes`),
    });
    expect(read.bytes.length).toBeLessThanOrEqual(left);
  });

  it("never completes when it has grown", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(size));
    await fs.appendFile(path.join(bench.base, reference.id, "payload"), "x");
    expect((await collect(bench.store.open(reference))).error).toMatchObject({ code: "artifact_corrupt" });
    await expect(bench.store.verify(reference)).rejects.toMatchObject({ code: "artifact_corrupt" });
  });

  it("releases nothing of a small one", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(Buffer.from("right"));
    await fs.writeFile(path.join(bench.base, reference.id, "payload"), "wrong");
    expect((await collect(bench.store.open(reference))).bytes.length).toBe(0);
  });

  it("is never restored, not even in part", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(size));
    const payload = path.join(bench.base, reference.id, "payload");
    await fs.truncate(payload, size - 1);
    const request = {
      artifact: asInput(reference, asFile),
      root: bench.workspace,
      kind: "workspace",
    } as const;
    await expect(bench.store.restore(request)).rejects.toMatchObject({ code: "artifact_corrupt" });
    await fs.rm(payload);
    await expect(bench.store.restore(request)).rejects.toMatchObject({ code: "artifact_missing" });
    expect(await fs.readdir(path.join(bench.workspace, "bin"))).toEqual([]);
  });
});
