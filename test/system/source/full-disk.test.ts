import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { commitAll, makePlace } from "../../e2e/source/repositories.ts";

/** Needs root: a filesystem of 4 MiB is mounted under the mirrors. */
it("says that the disk is full and leaves nothing of what does not fit", async () => {
  const place = makePlace();
  mkdirSync(place.mirrors, { recursive: true });
  execFileSync("sh", ["-c", 'mount -t tmpfs -o size=4m tmpfs "$0"', place.mirrors]);
  try {
    const full = { code: "storage_failed", message: expect.stringContaining("The disk is full") };
    const left = () =>
      readdirSync(place.mirrors, { recursive: true, encoding: "utf8" }).filter((name) =>
        /tmp_|\/tmp\//.test(name),
      );
    const snapshot = (directory: string) =>
      place.source.snapshotWorkingTree({ repositoryId, directory, exclude: [] });
    const repositoryId = "0198c0de-0000-7000-8000-000000000001";
    const directory = place.repository("app", { a: "a\n" });
    writeFileSync(join(directory, "large"), randomBytes(8_000_000));
    await expect(snapshot(directory)).rejects.toMatchObject(full);
    expect(left()).toEqual([]);
    commitAll(place, directory, "large");
    await expect(snapshot(directory)).rejects.toMatchObject(full);
    expect(left()).toEqual([]);
    expect(await snapshot(place.repository("small", { b: "b\n" }))).toMatchObject({ fileCount: 1 });
  } finally {
    execFileSync("sh", ["-c", 'umount "$0"', place.mirrors]);
    await place[Symbol.asyncDispose]();
  }
});
