import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { LogStoreDeps } from "../../../src/logs/index.ts";
import { type Bench, gather, openBench, text } from "./support/bench.ts";

/** A follower, and the two ways to end it. */
function follow(bench: Bench, offset = 0, store = bench.store) {
  const abort = new AbortController();
  const end = new AbortController();
  const chunks = store.follow(bench.id, { offset, signal: abort.signal, ended: end.signal });
  return { chunks, abort, end };
}

describe("a follower", () => {
  it("that starts before the file exists gets every byte, then ends", async () => {
    await using bench = await openBench();
    const { chunks, end } = follow(bench);
    const iterator = chunks[Symbol.asyncIterator]();
    const first = iterator.next();
    const file = bench.store.prepare(bench.id);
    await fs.writeFile(file, "one\n");
    expect(await first).toMatchObject({ value: { offset: 0 } });
    const second = iterator.next();
    await fs.appendFile(file, "two\n");
    const { value } = await second;
    expect(text(value?.bytes ?? Buffer.alloc(0))).toBe("two\n");
    await fs.appendFile(file, "three");
    end.abort();
    expect(text((await iterator.next()).value?.bytes ?? Buffer.alloc(0))).toBe("three");
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it("starts at its offset, also beyond the present end", async () => {
    await using bench = await openBench();
    const file = bench.store.prepare(bench.id);
    await fs.writeFile(file, "0123456789");
    const inside = follow(bench, 7);
    const beyond = follow(bench, 12);
    const gathered = [gather(inside.chunks, 7), gather(beyond.chunks, 12)];
    await fs.appendFile(file, "abcdef");
    for (const { end } of [inside, beyond]) end.abort();
    expect((await Promise.all(gathered)).map(text)).toEqual(["789abcdef", "cdef"]);
  });

  it("of a log that has ended reads it and ends, and makes nothing", async () => {
    await using bench = await openBench();
    const absent = follow(bench);
    absent.end.abort();
    expect((await gather(absent.chunks)).length).toBe(0);
    expect(await fs.readdir(bench.base)).toEqual([]);
    await fs.writeFile(bench.store.prepare(bench.id), "x".repeat(300_000));
    for (const offset of [0, 299_999, 300_000, 300_001]) {
      const { chunks, end } = follow(bench, offset);
      end.abort();
      expect((await gather(chunks, offset)).length).toBe(Math.max(0, 300_000 - offset));
    }
  });

  it("ends when the log is sealed, here or by another process", async () => {
    await using bench = await openBench();
    const file = bench.store.prepare(bench.id);
    const here = gather(follow(bench).chunks);
    const there = gather(follow(bench, 0, bench.over({})).chunks);
    await fs.writeFile(file, "all");
    await bench.store.seal(bench.id);
    expect((await Promise.all([here, there])).map(text)).toEqual(["all", "all"]);
    expect(text(await gather(follow(bench).chunks))).toBe("all");
  });

  it("follows shipped segments through their merge", async () => {
    await using bench = await openBench();
    const followers = [follow(bench), follow(bench, 0, bench.over({}))].map(({ chunks }) => gather(chunks));
    const expected = Array.from({ length: 100 }, (_, at) => `line ${at}\n`).join("");
    for (let at = 0; at < expected.length; at += 13)
      await bench.store.append(bench.id, at, Buffer.from(expected.slice(at, at + 13)));
    await bench.store.seal(bench.id);
    expect((await Promise.all(followers)).map(text)).toEqual([expected, expected]);
  });

  it("stops at once when it is aborted: waiting, before it starts, or between two reads", async () => {
    await using bench = await openBench();
    await fs.writeFile(bench.store.prepare(bench.id), "x".repeat(200_000));
    const waiting = follow(bench, 200_000);
    const next = waiting.chunks[Symbol.asyncIterator]().next();
    setImmediate(() => waiting.abort.abort());
    expect(await next).toMatchObject({ done: true });
    const early = follow(bench);
    early.abort.abort();
    expect((await gather(early.chunks)).length).toBe(0);
    const between = follow(bench);
    const iterator = between.chunks[Symbol.asyncIterator]();
    await iterator.next();
    between.abort.abort();
    expect(await iterator.next()).toMatchObject({ done: true });
  });

  it("refuses an offset that is none", async () => {
    await using bench = await openBench();
    for (const offset of [-1, 1.5, Number.NaN])
      await expect(gather(follow(bench, offset).chunks)).rejects.toMatchObject({ code: "usage" });
  });
});

describe("many followers of one log", () => {
  it("share one watch, which ends with the last of them", async () => {
    const watches = { open: 0, opened: 0 };
    const watch: NonNullable<LogStoreDeps["watch"]> = () => {
      watches.open += 1;
      watches.opened += 1;
      return {
        [Symbol.dispose]() {
          watches.open -= 1;
        },
      };
    };
    await using bench = await openBench({ watch });
    const followers = Array.from({ length: 5 }, () => follow(bench));
    const reads = followers.map(({ chunks }) => chunks[Symbol.asyncIterator]().next());
    expect(watches).toEqual({ open: 1, opened: 1 });
    for (const { abort } of followers.slice(1)) abort.abort();
    await Promise.all(reads.slice(1));
    expect(watches.open).toBe(1);
    followers[0]?.abort.abort();
    expect(watches).toEqual({ open: 0, opened: 1 });
    await Promise.all(reads);
  });

  it("all get all of thousands of small writes, from wherever they start", async () => {
    await using bench = await openBench({ capBytes: 1 << 30 });
    const file = bench.store.prepare(bench.id);
    const followers = Array.from({ length: 100 }, (_, at) => ({
      offset: at * 50,
      ...follow(bench, at * 50),
    }));
    const gathered = followers.map(({ chunks, offset }) => gather(chunks, offset));
    // One that never reads, and one that stops after its first chunk: nobody waits for them.
    const idle = follow(bench).chunks[Symbol.asyncIterator]();
    const stuck = follow(bench).chunks[Symbol.asyncIterator]();
    const first = stuck.next();
    const writer = spawn("sh", [
      "-c",
      'i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done >> "$0"',
      file,
    ]);
    await once(writer, "close");
    for (const { end } of followers) end.abort();
    const expected = Array.from({ length: 5000 }, (_, at) => `line ${at}\n`).join("");
    const results = await Promise.all(gathered);
    for (const [at, bytes] of results.entries()) expect(text(bytes) === expected.slice(at * 50)).toBe(true);
    expect((await first).done).toBe(false);
    await Promise.all([idle.return?.(), stuck.return?.()]);
  });

  it("see bytes as they were written, in any alphabet or none", async () => {
    await using bench = await openBench();
    const { chunks, end } = follow(bench);
    const gathered = gather(chunks);
    const file = bench.store.prepare(bench.id);
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7 + (at >> 8)) & 255));
    // Split in the middle of what would be characters.
    for (let at = 0; at < bytes.length; at += 997) await fs.appendFile(file, bytes.subarray(at, at + 997));
    end.abort();
    expect((await gathered).equals(bytes)).toBe(true);
  });

  it("end when the log is removed and its execution has ended", async () => {
    await using bench = await openBench();
    await fs.writeFile(bench.store.prepare(bench.id), "bytes");
    const { chunks, end } = follow(bench);
    const iterator = chunks[Symbol.asyncIterator]();
    await iterator.next();
    const next = iterator.next();
    await bench.store.remove(bench.id);
    end.abort();
    expect(await next).toMatchObject({ done: true });
  });
});

describe("where notifications do not come", () => {
  it.each([
    [
      "the watch cannot be made",
      () => {
        throw Object.assign(new Error("no watches left"), { code: "ENOSPC" });
      },
    ],
    ["the watch is silent", () => ({ [Symbol.dispose]: () => undefined })],
  ])("a slow sweep brings the bytes: %s", async (_, watch) => {
    await using bench = await openBench({ watch, pollMs: 5 });
    const { chunks, end } = follow(bench);
    const iterator = chunks[Symbol.asyncIterator]();
    const file = bench.store.prepare(bench.id);
    const first = iterator.next();
    await fs.writeFile(file, "one");
    expect(text((await first).value?.bytes ?? Buffer.alloc(0))).toBe("one");
    const second = iterator.next();
    await fs.appendFile(file, "two");
    expect(text((await second).value?.bytes ?? Buffer.alloc(0))).toBe("two");
    end.abort();
    expect(await iterator.next()).toMatchObject({ done: true });
  });

  it("names the execution when the log cannot be followed", async () => {
    await using bench = await openBench();
    const base = path.join(bench.base, "file");
    await fs.writeFile(base, "");
    const { chunks } = follow(bench, 0, bench.over({ base }));
    await expect(gather(chunks)).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining(bench.id),
    });
  });
});
