import fs from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type ArtifactId, newId } from "../../../src/kernel/index.ts";
import { asFile, chunked, collect, openBench, random, sha256 } from "./support/bench.ts";

const MiB = 1 << 20;

describe("put and open", () => {
  it.each([0, 1, 511, 4095, 4096, MiB - 1, MiB, MiB + 1, 3 * MiB + 17])(
    "keeps %i bytes as they are",
    async (size) => {
      await using bench = await openBench();
      const bytes = random(size);
      const reference = await bench.putBytes(bytes);
      expect(reference).toMatchObject({ sha256: sha256(bytes), size });
      const read = await collect(bench.store.open(reference));
      expect(read.error).toBeNull();
      expect(read.bytes.equals(bytes)).toBe(true);
      expect(await bench.temporary()).toEqual([]);
    },
  );

  it("stores a file by path, with a note that a person can read", async () => {
    await using bench = await openBench();
    await bench.write({ "bin/app": "#!/bin/sh\n" });
    const id = newId<ArtifactId>();
    const source = { file: path.join(bench.workspace, "bin/app") };
    const stored = await bench.store.put({ id, name: "app", type: "binary", metadata: asFile, source });
    expect(stored.storagePath).toBe(path.join(bench.base, id, "payload"));
    expect(await fs.readFile(stored.storagePath, "utf8")).toBe("#!/bin/sh\n");
    const note: unknown = JSON.parse(await fs.readFile(path.join(bench.base, id, "metadata.json"), "utf8"));
    expect(note).toMatchObject({
      id,
      name: "app",
      type: "binary",
      sha256: stored.sha256,
      size: 10,
      metadata: asFile,
    });
  });

  it("says when the source file is missing or no file", async () => {
    await using bench = await openBench();
    for (const file of ["absent", "."]) {
      const source = { file: path.join(bench.workspace, file) };
      const put = bench.store.put({ id: newId(), name: "app", type: "binary", metadata: asFile, source });
      await expect(put).rejects.toMatchObject({ code: "artifact_missing" });
    }
    expect(await bench.visible()).toEqual([]);
  });

  it("refuses bytes that are not the announced ones", async () => {
    await using bench = await openBench();
    const bytes = random(1000);
    const right = { sha256: sha256(bytes), size: 1000 };
    for (const expected of [
      { ...right, size: 999 },
      { ...right, sha256: "0".repeat(64) },
    ]) {
      const source = chunked(bytes, 10);
      const put = bench.store.put({
        id: newId(),
        name: "app",
        type: "binary",
        metadata: asFile,
        source,
        expected,
      });
      await expect(put).rejects.toMatchObject({
        code: "artifact_corrupt",
        message: expect.stringContaining("app"),
      });
    }
    expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
    const source = chunked(bytes, 10);
    await bench.store.put({
      id: newId(),
      name: "app",
      type: "binary",
      metadata: asFile,
      source,
      expected: right,
    });
    expect(await bench.visible()).toHaveLength(1);
  });

  it("keeps nothing of a source that fails, and passes its error on", async () => {
    await using bench = await openBench();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield random(2 * MiB);
      throw new Error("connection reset");
    }
    const put = bench.store.put({
      id: newId(),
      name: "app",
      type: "binary",
      metadata: asFile,
      source: failing(),
    });
    await expect(put).rejects.toThrow("connection reset");
    expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
  });

  it("stops at an abort, even when the source hangs", async () => {
    await using bench = await openBench();
    const abort = new AbortController();
    async function* hanging(): AsyncGenerator<Uint8Array> {
      yield random(2 * MiB);
      setImmediate(() => abort.abort(new Error("enough")));
      await new Promise(() => undefined);
    }
    const request = {
      id: newId<ArtifactId>(),
      name: "app",
      type: "binary",
      metadata: asFile,
      source: hanging(),
    } as const;
    await expect(bench.store.put(request, abort.signal)).rejects.toThrow("enough");
    expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
  });

  it("gives ranges, verified over the whole", async () => {
    await using bench = await openBench();
    const bytes = Buffer.from(random(MiB));
    const reference = await bench.putBytes(bytes);
    for (const [start, end] of [
      [0, 1],
      [0, MiB],
      [5, 5],
      [MiB, MiB],
      [262_143, 262_145],
      [700_000, MiB],
    ] as const) {
      const read = await collect(bench.store.open(reference, { start, end }));
      expect(read.error).toBeNull();
      expect(read.bytes.equals(bytes.subarray(start, end))).toBe(true);
    }
    for (const range of [
      { start: -1, end: 3 },
      { start: 4, end: 3 },
      { start: 0, end: MiB + 1 },
    ])
      expect((await collect(bench.store.open(reference, range))).error).toMatchObject({ code: "usage" });
  });

  it("says that a removed artifact is missing, and removes twice", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(10));
    await bench.store.remove(reference.id);
    await bench.store.remove(reference.id);
    const { error, bytes } = await collect(bench.store.open(reference));
    expect(error).toMatchObject({
      code: "artifact_missing",
      message: expect.stringContaining(`app (${reference.id})`),
    });
    expect(bytes.length).toBe(0);
    expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
  });

  it("stops reading at an abort", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(MiB));
    const abort = new AbortController();
    const chunks = bench.store.open(reference, undefined, abort.signal);
    abort.abort(new Error("enough"));
    expect((await collect(chunks)).error).toMatchObject({ message: "enough" });
  });
});

describe("two writers of one id", () => {
  it("give one artifact when their bytes are equal", async () => {
    await using bench = await openBench();
    const bytes = random(2 * MiB);
    const id = newId<ArtifactId>();
    const put = () =>
      bench.store.put({ id, name: "app", type: "binary", metadata: asFile, source: chunked(bytes, 65_536) });
    const stored = await Promise.all([put(), put(), put()]);
    expect(new Set(stored.map((each) => each.sha256))).toEqual(new Set([sha256(bytes)]));
    expect([await bench.visible(), await bench.temporary()]).toEqual([[id], []]);
    await bench.store.verify({ id, sha256: sha256(bytes), size: bytes.length });
  });

  it("give the first one's artifact and a conflict when they differ", async () => {
    await using bench = await openBench();
    const id = newId<ArtifactId>();
    const candidates = [random(MiB), random(MiB)];
    const outcomes = await Promise.allSettled(
      candidates.map((bytes) =>
        bench.store.put({
          id,
          name: "app",
          type: "binary",
          metadata: asFile,
          source: chunked(bytes, 65_536),
        }),
      ),
    );
    const won = outcomes.findIndex((outcome) => outcome.status === "fulfilled");
    expect(outcomes[1 - won]).toMatchObject({ status: "rejected", reason: { code: "conflict" } });
    const bytes = candidates[won] ?? random(0);
    await bench.store.verify({ id, sha256: sha256(bytes), size: bytes.length });
    expect(await bench.temporary()).toEqual([]);
  });

  it("do not let the second adopt what has rotted since", async () => {
    await using bench = await openBench();
    const bytes = random(1000);
    const first = await bench.putBytes(bytes);
    await fs.writeFile(path.join(bench.base, first.id, "payload"), random(1000));
    const again = bench.store.put({
      ...first,
      name: "app",
      type: "binary",
      metadata: asFile,
      source: chunked(bytes, 99),
    });
    await expect(again).rejects.toMatchObject({ code: "artifact_corrupt" });
  });
});
