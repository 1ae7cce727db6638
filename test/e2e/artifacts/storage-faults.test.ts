import path from "node:path";
import { describe, expect, it } from "vitest";
import { type FileSystem, nodeFileSystem, type StoredFile } from "../../../src/artifacts/index.ts";
import { type ArtifactId, newId } from "../../../src/kernel/index.ts";
import { asFile, type Bench, chunked, collect, openBench, random, systemError } from "./support/bench.ts";

type Call = "write" | "sync" | "close" | "read";

/** Storage on which one call of one file fails: the `turn`th since the file was opened. */
function failing(
  call: Call,
  code: string,
  name: string,
  turn = 1,
): Pick<FileSystem, "create" | "openForRead"> {
  const faulty = (file: StoredFile, place: string): StoredFile => {
    let calls = 0;
    const guard = async <T>(which: Call, work: () => Promise<T>): Promise<T> => {
      if (which !== call || path.basename(place) !== name) return work();
      calls += 1;
      if (calls !== turn) return work();
      // What fails at close has been closed nevertheless.
      if (which === "close") await work();
      throw systemError(code, which);
    };
    return {
      read: (target, position) => guard("read", () => file.read(target, position)),
      write: (bytes, position) => guard("write", () => file.write(bytes, position)),
      sync: () => guard("sync", () => file.sync()),
      close: () => guard("close", () => file.close()),
    };
  };
  return {
    create: async (place) => faulty(await nodeFileSystem.create(place), place),
    openForRead: async (place) => faulty(await nodeFileSystem.openForRead(place), place),
  };
}

/** A system call that fails the first `times` times. */
function failsFirst<Arguments extends unknown[], Result>(
  times: number,
  code: string,
  real: (...given: Arguments) => Promise<Result>,
): (...given: Arguments) => Promise<Result> {
  let left = times;
  return async (...given) => {
    if (left === 0) return real(...given);
    left -= 1;
    throw systemError(code);
  };
}

async function expectNothingKept(bench: Bench, files: Partial<FileSystem>, size = 3_000_000) {
  const id = newId<ArtifactId>();
  const source = chunked(random(size), 65_536);
  const put = bench.over(files).put({ id, name: "app", type: "binary", metadata: asFile, source });
  const error: unknown = await put.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({
    code: "storage_failed",
    message: expect.stringContaining(`app (${id})`),
    remedy: expect.any(String),
  });
  expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
  return error;
}

describe("a put on storage that fails", () => {
  const faults: readonly (readonly [Call, string, string, number])[] = [
    ["write", "ENOSPC", "payload", 1],
    ["write", "ENOSPC", "payload", 3],
    ["write", "EDQUOT", "payload", 2],
    ["write", "EIO", "payload", 1],
    ["sync", "EIO", "payload", 1],
    ["sync", "ENOSPC", "payload", 1],
    ["close", "EIO", "payload", 1],
    ["close", "EDQUOT", "payload", 1],
    ["close", "ENOSPC", "payload", 1],
    ["write", "ENOSPC", "metadata.json", 1],
    ["close", "EDQUOT", "metadata.json", 1],
  ];
  it.each(faults)(
    "at %s with %s of %s (call %i) keeps nothing and says what to do",
    async (call, code, name, turn) => {
      await using bench = await openBench();
      const error = await expectNothingKept(bench, failing(call, code, name, turn));
      expect(error).toMatchObject({ message: expect.stringContaining(code) });
    },
  );

  it("while it is told to begin writing back keeps nothing", async () => {
    await using bench = await openBench();
    await expectNothingKept(bench, failing("sync", "EIO", "payload", 1), 20_000_000);
    await expectNothingKept(bench, failing("sync", "EDQUOT", "payload", 2), 20_000_000);
  });

  it("at making files and directories keeps nothing", async () => {
    await using bench = await openBench();
    await expectNothingKept(bench, { makeDirectory: failsFirst(1, "EROFS", nodeFileSystem.makeDirectory) });
    await expectNothingKept(bench, { create: failsFirst(1, "EDQUOT", nodeFileSystem.create) });
    await expectNothingKept(bench, { freeBytes: failsFirst(1, "EIO", nodeFileSystem.freeBytes) });
  });

  it("at the sync of either directory keeps nothing visible", async () => {
    await using bench = await openBench();
    await expectNothingKept(bench, { syncDirectory: failsFirst(1, "EIO", nodeFileSystem.syncDirectory) });
    let calls = 0;
    await expectNothingKept(bench, {
      async syncDirectory(directory) {
        calls += 1;
        if (calls === 2) throw systemError("EIO");
        await nodeFileSystem.syncDirectory(directory);
      },
    });
    expect(calls).toBe(2);
  });

  it("is refused below min_free_bytes, before a byte is written", async () => {
    await using bench = await openBench();
    const store = bench.over({ freeBytes: async () => 1_000_000 }, 900_001);
    const expected = { sha256: "0".repeat(64), size: 100_000 };
    const request = {
      name: "app",
      type: "binary",
      metadata: asFile,
      source: chunked(random(100_000), 99),
      expected,
    } as const;
    await expect(store.put({ id: newId(), ...request })).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining("1000000 bytes are free"),
    });
    expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
  });
});

describe("a rename over NFS", () => {
  it.each(["ENOENT", "EEXIST", "ENOTEMPTY", "EIO"])(
    "that was done but answers %s is a success",
    async (code) => {
      await using bench = await openBench();
      const lostReply = async (from: string, to: string) => {
        await nodeFileSystem.rename(from, to);
        throw systemError(code, "rename");
      };
      const reference = await bench.putBytes(random(500_000), bench.over({ rename: lostReply }));
      await bench.store.verify(reference);
      expect([await bench.visible(), await bench.temporary()]).toEqual([[reference.id], []]);
    },
  );

  it("to a place that another writer filled leaves it there when the sync after it fails", async () => {
    await using bench = await openBench();
    const bytes = random(500_000);
    const reference = await bench.putBytes(bytes);
    const failingSync = async (directory: string) => {
      if (directory === bench.base) throw systemError("EIO");
      await nodeFileSystem.syncDirectory(directory);
    };
    const source = chunked(bytes, 65_536);
    const again = bench
      .over({ syncDirectory: failingSync })
      .put({ id: reference.id, name: "app", type: "binary", metadata: asFile, source });
    await expect(again).rejects.toMatchObject({ code: "storage_failed" });
    await bench.store.verify(reference);
    expect(await bench.temporary()).toEqual([]);
  });

  it.each(["ENOENT", "EIO", "ESTALE"])("that was not done and answers %s fails", async (code) => {
    await using bench = await openBench();
    await expectNothingKept(bench, { rename: failsFirst(1, code, nodeFileSystem.rename) });
  });

  it("that finds an empty directory of an older crash takes its place", async () => {
    await using bench = await openBench();
    const id = newId<ArtifactId>();
    await nodeFileSystem.makeDirectory(path.join(bench.base, id));
    const source = chunked(random(10), 3);
    await bench.store.put({ id, name: "app", type: "binary", metadata: asFile, source });
    expect(await bench.visible()).toEqual([id]);
  });
});

describe("a read over NFS", () => {
  it("survives one ESTALE at open, and one in the middle", async () => {
    await using bench = await openBench();
    const bytes = random(1_000_000);
    const reference = await bench.putBytes(bytes);
    const atOpen = bench.over({ openForRead: failsFirst(1, "ESTALE", nodeFileSystem.openForRead) });
    const inside = bench.over(onlyFirstOpen(failing("read", "ESTALE", "payload", 3)));
    for (const store of [atOpen, inside]) {
      const read = await collect(store.open(reference));
      expect(read.error).toBeNull();
      expect(read.bytes.equals(bytes)).toBe(true);
    }
  });

  it("gives up at the second ESTALE, and at EIO, and names the artifact", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(1_000_000));
    const stale = bench.over(failing("read", "ESTALE", "payload", 1));
    const broken = bench.over(failing("read", "EIO", "payload", 2));
    for (const store of [stale, broken]) {
      const { error } = await collect(store.open(reference));
      expect(error).toMatchObject({ code: "storage_failed", message: expect.stringContaining(reference.id) });
    }
  });

  it("asks the directory again when a fresh artifact is not there yet", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(1000));
    let asked = 0;
    const store = bench.over({
      openForRead: failsFirst(1, "ENOENT", nodeFileSystem.openForRead),
      async syncDirectory(directory) {
        asked += 1;
        await nodeFileSystem.syncDirectory(directory);
      },
    });
    await store.verify(reference);
    expect(asked).toBe(1);
  });

  it("reopens when a cached size ends the file too early", async () => {
    await using bench = await openBench();
    const bytes = random(1_000_000);
    const reference = await bench.putBytes(bytes);
    const short: Pick<FileSystem, "openForRead"> = {
      openForRead: async (place) => {
        const file = await nodeFileSystem.openForRead(place);
        return { ...file, read: async (target, at) => (at >= 262_144 ? 0 : file.read(target, at)) };
      },
    };
    const read = await collect(bench.over(onlyFirstOpen(short)).open(reference));
    expect(read.error).toBeNull();
    expect(read.bytes.equals(bytes)).toBe(true);
    expect((await collect(bench.over(short).open(reference))).error).toMatchObject({
      code: "artifact_corrupt",
    });
  });

  it("is not fooled by other bytes after a reopen", async () => {
    await using bench = await openBench();
    const reference = await bench.putBytes(random(1_000_000));
    const other = await bench.putBytes(random(1_000_000));
    let opened = 0;
    const stale = failing("read", "ESTALE", "payload", 2);
    const store = bench.over({
      openForRead(place) {
        opened += 1;
        return opened === 1
          ? stale.openForRead(place)
          : nodeFileSystem.openForRead(path.join(bench.base, other.id, "payload"));
      },
    });
    expect((await collect(store.open(reference))).error).toMatchObject({ code: "artifact_corrupt" });
  });
});

function onlyFirstOpen(faulty: Pick<FileSystem, "openForRead">): Pick<FileSystem, "openForRead"> {
  let first = true;
  return {
    openForRead(place) {
      const files = first ? faulty : nodeFileSystem;
      first = false;
      return files.openForRead(place);
    },
  };
}
