import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newId } from "../../../src/kernel/index.ts";
import { openBench, text } from "./support/bench.ts";

const whole = { offset: 0, length: 1 << 20 };

/** What is there of the bytes; their times lie beside them. */
const segments = async (directory: string) =>
  (await fs.readdir(directory)).filter((name) => name !== "times").sort();

describe("a log that a pump writes by itself", () => {
  it("lies where prepare says, and is read back byte for byte", async () => {
    await using bench = await openBench();
    const file = bench.store.prepare(bench.id);
    expect(bench.store.prepare(bench.id)).toBe(file);
    expect(path.basename(file)).toBe("00000000000000000000");
    expect(await fs.readdir(path.dirname(file))).toEqual([]);
    const bytes = Buffer.from([0, 255, 254, 13, 10, 27, 0xc3, 0x28]);
    execFileSync("dd", [`of=${file}`, "status=none"], { input: bytes });
    expect(await bench.store.size(bench.id)).toBe(8);
    expect(text(await bench.store.read(bench.id, whole))).toBe(text(bytes));
    expect(text(await bench.store.read(bench.id, { offset: 3, length: 2 }))).toBe("\r\n");
    expect((await bench.store.read(bench.id, { offset: 8, length: 2 })).length).toBe(0);
    expect((await bench.store.read(bench.id, { offset: 80, length: 2 })).length).toBe(0);
  });

  it("has no bytes before it exists", async () => {
    await using bench = await openBench();
    expect(await bench.store.size(bench.id)).toBe(0);
    expect((await bench.store.read(bench.id, whole)).length).toBe(0);
    expect((await bench.store.tail(bench.id, 5, 100)).length).toBe(0);
    expect(await bench.store.digest(bench.id)).toMatchObject({ bytes: 0 });
    await bench.store.remove(bench.id);
    expect(await fs.readdir(bench.base)).toEqual([]);
  });

  it("is sealed, twice, and removed, twice", async () => {
    await using bench = await openBench();
    const file = bench.store.prepare(bench.id);
    await fs.writeFile(file, "line\n");
    expect(await bench.store.seal(bench.id)).toEqual({ bytes: 5 });
    expect(await bench.store.seal(bench.id)).toEqual({ bytes: 5 });
    expect((await fs.stat(file)).mode & 0o777).toBe(0o444);
    const sha256 = createHash("sha256").update("line\n").digest("hex");
    expect(await bench.store.digest(bench.id)).toEqual({ bytes: 5, sha256 });
    await bench.store.remove(bench.id);
    await bench.store.remove(bench.id);
    expect(await bench.store.size(bench.id)).toBe(0);
  });

  it("can be sealed when nothing was ever written", async () => {
    await using bench = await openBench();
    expect(await bench.store.seal(bench.id)).toEqual({ bytes: 0 });
    expect(await bench.store.seal(bench.id)).toEqual({ bytes: 0 });
    await expect(bench.store.append(bench.id, 0, Buffer.from("x"))).rejects.toMatchObject({
      code: "conflict",
    });
  });

  it("gives its last lines, at most so many bytes of them", async () => {
    await using bench = await openBench();
    await fs.writeFile(bench.store.prepare(bench.id), `${"x".repeat(100_000)}\none\ntwo\nthree\n`);
    expect(text(await bench.store.tail(bench.id, 2, 1000))).toBe("two\nthree\n");
    expect(text(await bench.store.tail(bench.id, 9, 12))).toBe("e\ntwo\nthree\n".slice(-12));
    expect((await bench.store.tail(bench.id, 4, 1 << 20)).length).toBe(100_015);
    expect((await bench.store.tail(bench.id, 4, 0)).length).toBe(0);
  });

  it("says what fails, and of which execution", async () => {
    await using bench = await openBench();
    const base = path.join(bench.base, "file");
    await fs.writeFile(base, "");
    const store = bench.over({ base });
    expect(() => store.prepare(bench.id)).toThrow(bench.id);
    const refused = { code: "storage_failed", message: expect.stringContaining(bench.id) };
    await expect(store.append(bench.id, 0, Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(store.read(bench.id, whole)).rejects.toMatchObject(refused);
  });
});

describe("append", () => {
  it("takes bytes in order, repeats and overlaps, and answers a gap with the right offset", async () => {
    await using bench = await openBench();
    const append = (offset: number, bytes: string) =>
      bench.store.append(bench.id, offset, Buffer.from(bytes));
    expect(await append(4, "late")).toEqual({ kind: "gap", size: 0 });
    expect(await append(0, "abcd")).toEqual({ kind: "stored", size: 4 });
    expect(await append(0, "abcd")).toEqual({ kind: "stored", size: 4 });
    expect(await append(2, "cdef")).toEqual({ kind: "stored", size: 6 });
    expect(await append(0, "abcdefgh")).toEqual({ kind: "stored", size: 8 });
    expect(await append(3, "de")).toEqual({ kind: "stored", size: 8 });
    expect(await append(8, "")).toEqual({ kind: "stored", size: 8 });
    expect(await append(9, "x")).toEqual({ kind: "gap", size: 8 });
    expect(text(await bench.store.read(bench.id, whole))).toBe("abcdefgh");
    expect(text(await bench.store.read(bench.id, { offset: 3, length: 4 }))).toBe("defg");
  });

  it("refuses other bytes and names the place", async () => {
    await using bench = await openBench();
    await bench.store.append(bench.id, 0, Buffer.from("abcd"));
    for (const [offset, bytes] of [
      [0, "x"],
      [2, "cX"],
      [2, "cXe"],
      [0, "abcX-and-more"],
    ] as const)
      await expect(bench.store.append(bench.id, offset, Buffer.from(bytes))).rejects.toMatchObject({
        code: "conflict",
      });
    for (const offset of [-1, 0.5, Number.NaN, 2 ** 60])
      await expect(bench.store.append(bench.id, offset, Buffer.from("x"))).rejects.toMatchObject({
        code: "usage",
      });
    expect(text(await bench.store.read(bench.id, whole))).toBe("abcd");
  });

  it("keeps what fits under the cap and says that it is full", async () => {
    await using bench = await openBench({ capBytes: 6 });
    const append = (offset: number, bytes: string) =>
      bench.store.append(bench.id, offset, Buffer.from(bytes));
    expect(await append(0, "abcd")).toEqual({ kind: "stored", size: 4 });
    expect(await append(4, "efgh")).toEqual({ kind: "full", size: 6 });
    expect(await append(4, "efgh")).toEqual({ kind: "full", size: 6 });
    expect(await append(4, "ef")).toEqual({ kind: "stored", size: 6 });
    expect(await append(8, "ij")).toEqual({ kind: "full", size: 6 });
    expect(text(await bench.store.read(bench.id, whole))).toBe("abcdef");
  });

  it("gives one log when writers race", async () => {
    await using bench = await openBench();
    const stores = [bench.store, bench.over({}), bench.over({})];
    const expected = Buffer.from(Array.from({ length: 60 }, (_, at) => `line ${at}\n`).join(""));
    await Promise.all(
      stores.map(async (store, which) => {
        for (let offset = 0; offset < expected.length; ) {
          const result = await store.append(bench.id, offset, expected.subarray(offset, offset + 7 + which));
          offset = result.size;
        }
      }),
    );
    expect(text(await bench.store.read(bench.id, whole))).toBe(text(expected));
    const digest = createHash("sha256").update(expected).digest("hex");
    expect(await bench.store.seal(bench.id)).toEqual({ bytes: expected.length });
    expect(await bench.store.digest(bench.id)).toEqual({ bytes: expected.length, sha256: digest });
    expect(await segments(path.dirname(bench.store.prepare(bench.id)))).toEqual(["00000000000000000000"]);
  });

  it("lets exactly one of two different writers have an offset", async () => {
    await using bench = await openBench();
    const candidates = ["aaaa", "bbbb"].map((bytes) =>
      bench.over({}).append(bench.id, 0, Buffer.from(bytes)),
    );
    const outcomes = await Promise.allSettled(candidates);
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(["aaaa", "bbbb"]).toContain(text(await bench.store.read(bench.id, whole)));
  });

  it("equals its model for any sequence of appends, seals and reads", async () => {
    await using bench = await openBench({ capBytes: 40 });
    const truth = Buffer.from("the quick brown fox jumps over the lazy dog, twice");
    const command = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(fc.constant("append" as const), fc.nat(50), fc.nat(20)) },
      {
        weight: 2,
        arbitrary: fc.tuple(fc.constant("wrong" as const), fc.nat(50), fc.integer({ min: 1, max: 20 })),
      },
      { weight: 1, arbitrary: fc.tuple(fc.constant("seal" as const), fc.constant(0), fc.constant(0)) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 12 }), async (commands) => {
        const id = newId<typeof bench.id>();
        let size = 0;
        let sealed = false;
        for (const [what, offset, length] of commands) {
          const right = truth.subarray(offset, offset + length);
          if (what === "seal") {
            expect(await bench.store.seal(id)).toEqual({ bytes: size });
            sealed = true;
            continue;
          }
          const bytes = what === "wrong" ? Buffer.alloc(right.length, "X") : right;
          const answer = await bench.store.append(id, offset, bytes).catch((error: unknown) => error);
          const end = offset + bytes.length;
          if (offset > size) expect(answer).toEqual({ kind: size === 40 ? "full" : "gap", size });
          else if (what === "wrong" && offset < size && bytes.length > 0)
            expect(answer).toMatchObject({ code: "conflict" });
          else if (end <= size) expect(answer).toEqual({ kind: "stored", size });
          else if (size === 40) expect(answer).toEqual({ kind: "full", size });
          else if (sealed) expect(answer).toMatchObject({ code: "conflict" });
          else {
            // Wrong bytes at the very end are simply the log's bytes: stop there, the truth is another one now.
            size = Math.min(end, 40);
            expect(answer).toEqual({ kind: end > 40 ? "full" : "stored", size });
            if (what === "wrong") return;
          }
          expect(text(await bench.store.read(id, whole))).toBe(text(truth.subarray(0, size)));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a seal that was interrupted", () => {
  it("is finished by the next, wherever it stopped", async () => {
    await using bench = await openBench();
    const directory = path.dirname(bench.store.prepare(bench.id));
    for (const [offset, bytes] of [
      [0, "ab"],
      [2, "cd"],
      [4, "ef"],
    ] as const)
      await bench.store.append(bench.id, offset, Buffer.from(bytes));
    // Before the rename: a half-written merge lies about.
    await fs.writeFile(path.join(directory, ".merge-0123456789abcdef"), "abc");
    expect(text(await bench.store.read(bench.id, whole))).toBe("abcdef");
    // After the rename, before the cleaning: left-overs are not counted twice.
    await fs.writeFile(path.join(directory, "merged"), "abcdef", { mode: 0o444 });
    await fs.rename(path.join(directory, "merged"), path.join(directory, "00000000000000000000"));
    expect(await bench.store.size(bench.id)).toBe(6);
    expect(text(await bench.store.read(bench.id, { offset: 1, length: 4 }))).toBe("bcde");
    expect(text(await bench.store.tail(bench.id, 1, 100))).toBe("abcdef");
    expect(await bench.store.seal(bench.id)).toEqual({ bytes: 6 });
    expect(await segments(directory)).toEqual(["00000000000000000000"]);
  });

  it("does not disturb readers, nor a second one at the same time", async () => {
    await using bench = await openBench();
    const expected = "0123456789".repeat(40);
    for (let at = 0; at < 400; at += 10)
      await bench.store.append(bench.id, at, Buffer.from(expected.slice(at, at + 10)));
    const reading = Array.from({ length: 20 }, () => bench.store.read(bench.id, whole));
    const sealing = [bench.store.seal(bench.id), bench.over({}).seal(bench.id)];
    for (const bytes of await Promise.all(reading)) expect(text(bytes)).toBe(expected);
    expect(await Promise.all(sealing)).toEqual([{ bytes: 400 }, { bytes: 400 }]);
    expect(text(await bench.store.read(bench.id, whole))).toBe(expected);
  });

  it("is refused when a segment is gone, and loses nothing", async () => {
    await using bench = await openBench();
    const directory = path.dirname(bench.store.prepare(bench.id));
    for (const [offset, bytes] of [
      [0, "ab"],
      [2, "cd"],
      [4, "ef"],
    ] as const)
      await bench.store.append(bench.id, offset, Buffer.from(bytes));
    await fs.rm(path.join(directory, "00000000000000000002"));
    await expect(bench.store.seal(bench.id)).rejects.toMatchObject({ code: "storage_failed" });
    expect(await segments(directory)).toContain("00000000000000000004");
  });
});
