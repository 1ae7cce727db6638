/**
 * Root may read everything, so these tests become `nobody` where they are run by root; for good, as a shell takes back
 * what is only effective. Each file of tests has a process of its own.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makePlace, type Place, writeFiles } from "./repositories.ts";

const isRoot = process.geteuid?.() === 0;
const nobody = 65534;
const repositoryId = "0198c0de-0000-7000-8000-000000000005";
let place: Place;

beforeAll(() => {
  if (isRoot) process.setuid?.(nobody);
});
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place[Symbol.asyncDispose]());

const snapshot = (directory: string) => place.source.snapshotWorkingTree({ repositoryId, directory });

describe("what cannot be read is named", () => {
  it.each(["with git", "without git"])("a file, %s", async (kind) => {
    const directory = kind === "with git" ? place.repository("app") : join(place.path, "app");
    writeFiles(directory, { "secret file": "x" });
    chmodSync(join(directory, "secret file"), 0);
    await expect(snapshot(directory)).rejects.toMatchObject({
      code: "source_unavailable",
      message: expect.stringMatching(/secret file.*Permission denied/),
      place: join(directory, "secret file"),
    });
  });

  it.each(["with git", "without git"])("a directory inside, %s", async (kind) => {
    const directory = kind === "with git" ? place.repository("app") : join(place.path, "app");
    writeFiles(directory, { "a/locked/x": "x" });
    chmodSync(join(directory, "a", "locked"), 0);
    await expect(snapshot(directory)).rejects.toMatchObject({
      code: "source_unavailable",
      message: expect.stringMatching(/a\/locked.*Permission denied/),
    });
  });

  it("but not where it is ignored", async () => {
    const directory = place.repository("app", { ".gitignore": "locked/\nsecret\n" });
    writeFiles(directory, { "locked/x": "x", secret: "x" });
    chmodSync(join(directory, "locked"), 0);
    chmodSync(join(directory, "secret"), 0);
    expect(await snapshot(directory)).toMatchObject({ fileCount: 1, dirty: false });
  });

  it("the directory itself, and one above it", async () => {
    const directory = join(place.path, "outer", "app");
    writeFiles(directory, { x: "x" });
    chmodSync(directory, 0);
    await expect(snapshot(directory)).rejects.toMatchObject({ code: "source_unavailable" });
    chmodSync(directory, 0o700);
    chmodSync(join(place.path, "outer"), 0);
    await expect(snapshot(directory)).rejects.toMatchObject({
      code: "source_unavailable",
      message: expect.stringContaining(directory),
    });
  });
});

describe("a repository of somebody else's", () => {
  it("is refused with the way to allow it", async () => {
    const directory = place.repository("app");
    const script = join(place.path, "git-other-owner");
    // A machine's own configuration may trust every directory.
    const environment = "GIT_CONFIG_NOSYSTEM=1 GIT_TEST_ASSUME_DIFFERENT_OWNER=1";
    writeFileSync(script, `#!/bin/sh\n${environment} exec git "$@"\n`, { mode: 0o755 });
    const source = place.open({ git: script });
    const expected = {
      code: "source_refused",
      message: expect.stringMatching(/another user/),
      remedy: expect.stringMatching(/safe\.directory/),
    };
    await expect(source.snapshotWorkingTree({ repositoryId, directory })).rejects.toMatchObject(expected);
    await expect(source.snapshotCommit({ repositoryId, directory, ref: "main" })).rejects.toMatchObject(
      expected,
    );
  });
});

describe("a data directory without rights", () => {
  it("is said, with its path", async () => {
    const directory = place.repository("app");
    const locked = join(place.path, "locked");
    mkdirSync(locked, { mode: 0o500 });
    const source = place.open({ directory: join(locked, "mirrors") });
    const expected = { code: "data_dir_unusable", message: expect.stringContaining(locked) };
    await expect(source.snapshotWorkingTree({ repositoryId, directory })).rejects.toMatchObject(expected);
  });

  it("is said when its mirror became read-only", async () => {
    const directory = place.repository("app");
    await snapshot(directory);
    const mirror = join(place.mirrors, `${repositoryId}.git`);
    for (const name of ["tmp", "commits", "verbatim", "worktrees"]) chmodSync(join(mirror, name), 0o500);
    writeFiles(directory, { more: "x" });
    await expect(snapshot(directory)).rejects.toMatchObject({ code: "data_dir_unusable" });
  });

  it("for a checkout", async () => {
    const directory = place.repository("app");
    const taken = await snapshot(directory);
    const locked = join(place.path, "locked");
    mkdirSync(locked, { mode: 0o500 });
    const spec = { repositoryId, cloneUrl: directory, ...taken, submodules: false };
    await expect(place.source.checkout(spec, join(locked, "x"))).rejects.toMatchObject({
      code: "data_dir_unusable",
    });
    rmSync(locked, { recursive: true });
  });
});
