import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WorkingTree } from "../../../src/source/index.ts";
import { commitAll, filesOf, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let checkouts = 0;

beforeEach(() => {
  place = makePlace();
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000001";

function snapshot(directory: string, exclude: string[] = []): Promise<WorkingTree> {
  return place.source.snapshotWorkingTree({ repositoryId, directory, exclude });
}

/** The snapshot's files as a job would see them. */
async function travelled(taken: WorkingTree): Promise<Record<string, string>> {
  checkouts += 1;
  const target = join(place.path, `checkout-${checkouts}`);
  await place.source.checkout({ repositoryId, cloneUrl: "/gone", ...taken, submodules: false }, target);
  return filesOf(target);
}

describe("PATH inside a larger repository", () => {
  it("is the root; subpath and commit are told; only what is under it makes it dirty", async () => {
    const top = place.repository("mono", {
      "services/api/main.go": "go\n",
      "other/x": "x\n",
      ".gitignore": "*.tmp\n",
    });
    const directory = join(top, "services", "api");
    writeFiles(top, { "other/x": "changed\n", "services/api/a.tmp": "ignored above\n" });
    const clean = await snapshot(directory);
    expect(clean).toMatchObject({ subpath: "services/api", dirty: false, fileCount: 1 });
    expect(clean.commit).toBe(place.git(top, "rev-parse", "HEAD"));
    expect(clean.tree).toBe(place.git(top, "rev-parse", "HEAD:services/api"));
    rmSync(join(directory, "main.go"));
    writeFiles(directory, { "new.go": "new\n" });
    const dirty = await snapshot(directory);
    expect(dirty).toMatchObject({ dirty: true, subpath: "services/api" });
    expect(await travelled(dirty)).toEqual({ "new.go": "file new\n" });
  });

  it("that the larger repository ignores is taken whole, as without git", async () => {
    const top = place.repository("mono", { ".gitignore": "scratch/\n" });
    writeFiles(top, { "scratch/app/a": "a\n", "scratch/app/.gitignore": "b\n", "scratch/app/b": "b\n" });
    const taken = await snapshot(join(top, "scratch", "app"));
    expect(taken).toMatchObject({ commit: null, subpath: null, dirty: false, fileCount: 3 });
  });

  it("by way of a symlink is the directory it names", async () => {
    const directory = place.repository("app", { a: "a\n" });
    symlinkSync(directory, join(place.path, "link"));
    expect(await snapshot(join(place.path, "link"))).toMatchObject({
      subpath: null,
      fileCount: 1,
      dirty: false,
    });
  });
});

describe("without git, or before the first commit", () => {
  it("everything travels, and there is no commit", async () => {
    const directory = join(place.path, "plain");
    writeFiles(directory, { a: "a\n", "deep/b": "b\n", ".gitignore": "a\n", ".hidden": "h\n" });
    const taken = await snapshot(directory);
    expect(taken).toMatchObject({
      commit: null,
      ref: null,
      branch: null,
      dirty: false,
      subpath: null,
      fileCount: 4,
    });
    expect(await travelled(taken)).toEqual(filesOf(directory));
    rmSync(join(directory, "a"));
    expect(Object.keys(await travelled(await snapshot(directory)))).not.toContain("a");
  });

  it("the checkout of such a tree has no .git", async () => {
    const directory = join(place.path, "plain");
    writeFiles(directory, { a: "a\n" });
    const taken = await snapshot(directory);
    const target = join(place.path, "target");
    await place.source.checkout({ repositoryId, cloneUrl: directory, ...taken, submodules: false }, target);
    expect(existsSync(join(target, ".git"))).toBe(false);
  });

  it("an empty directory is an empty tree", async () => {
    const directory = join(place.path, "empty");
    mkdirSync(directory);
    const taken = await snapshot(directory);
    expect(taken.fileCount).toBe(0);
    expect(await travelled(taken)).toEqual({});
  });

  it("a repository of 0 commits gives its files and its branch", async () => {
    const directory = place.repository("young", {});
    writeFiles(directory, { a: "a\n", ".gitignore": "b\n", b: "b\n" });
    const taken = await snapshot(directory);
    expect(taken).toMatchObject({ commit: null, branch: "main", dirty: false, fileCount: 2 });
    expect(Object.keys(await travelled(taken)).sort()).toEqual([".gitignore", "a"]);
  });
});

describe("repositories inside", () => {
  it("are recorded by commit and said, submodules and nested ones alike, also when they have no commit", async () => {
    const library = place.repository("library", { "lib.c": "int x;\n" });
    const directory = place.repository("app", { a: "a\n" });
    place.git(
      directory,
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "--quiet",
      "add",
      library,
      "vendor/lib",
    );
    commitAll(place, directory, "submodule");
    place.repository("app/nested", { n: "n\n" });
    place.repository("app/unborn", {});
    const taken = await snapshot(directory);
    expect(taken).toMatchObject({ submodules: true, fileCount: 2, dirty: true });
    expect(taken.nested.toSorted()).toEqual(["nested", "unborn"]);
    expect(Object.keys(await travelled(taken)).sort()).toEqual([".gitmodules", "a"]);
    const tree = place.git(join(place.mirrors, `${repositoryId}.git`), "ls-tree", "-r", taken.tree);
    expect(tree).toContain(`160000 commit ${place.git(library, "rev-parse", "HEAD")}\tvendor/lib`);
    expect(tree).toContain(
      `160000 commit ${place.git(join(directory, "nested"), "rev-parse", "HEAD")}\tnested`,
    );
    writeFiles(directory, { b: "b\n" });
    expect((await snapshot(directory)).fileCount).toBe(3);
  });
});

describe("other shapes of repository", () => {
  it("a linked worktree", async () => {
    const directory = place.repository("app", { a: "a\n" });
    const linked = join(place.path, "linked");
    place.git(directory, "worktree", "add", "--quiet", "-b", "side", linked);
    writeFiles(linked, { b: "b\n" });
    const taken = await snapshot(linked);
    expect(taken).toMatchObject({ branch: "side", dirty: true, fileCount: 2, subpath: null });
    expect(await travelled(taken)).toEqual({ a: "file a\n", b: "file b\n" });
  });

  it("a sparse checkout: what is there", async () => {
    const directory = place.repository("app", { "in/a": "a\n", "out/b": "b\n" });
    place.git(directory, "sparse-checkout", "set", "in");
    expect(await snapshot(directory)).toMatchObject({ dirty: true, fileCount: 1 });
  });

  it("a shallow clone", async () => {
    const origin = place.repository("origin", { a: "1\n" });
    writeFiles(origin, { a: "2\n" });
    commitAll(place, origin, "second");
    const clone = join(place.path, "clone");
    place.git(place.path, "clone", "--quiet", "--depth=1", `file://${origin}`, clone);
    const taken = await snapshot(clone);
    expect(taken).toMatchObject({ dirty: false, fileCount: 1 });
    expect(await travelled(taken)).toEqual({ a: "file 2\n" });
  });

  it("one that borrows its objects from another", async () => {
    const origin = place.repository("origin", { a: "1\n" });
    const clone = join(place.path, "clone");
    place.git(place.path, "clone", "--quiet", "--shared", origin, clone);
    const taken = await snapshot(clone);
    rmSync(origin, { recursive: true });
    rmSync(clone, { recursive: true });
    expect(await travelled(taken)).toEqual({ a: "file 1\n" });
  });

  it("SHA-256 ids", async () => {
    const directory = join(place.path, "modern");
    mkdirSync(directory);
    place.git(directory, "init", "--quiet", "--object-format=sha256");
    writeFiles(directory, { a: "a\n" });
    commitAll(place, directory, "first");
    const taken = await snapshot(directory);
    expect(taken.tree).toBe(place.git(directory, "rev-parse", "HEAD^{tree}"));
    expect(await travelled(taken)).toEqual({ a: "file a\n" });
    const read = await place.source.readFile({ repositoryId, tree: taken.tree }, "a", 10);
    expect(read?.toString()).toBe("a\n");
  });

  it("a repository whose hooks and monitor would run commands: none does", async () => {
    const directory = place.repository("app");
    const marker = join(place.path, "ran");
    const script = `#!/bin/sh\ntouch ${marker}\n`;
    writeFileSync(join(directory, ".git/hooks/post-index-change"), script, { mode: 0o755 });
    writeFileSync(join(place.path, "monitor"), script, { mode: 0o755 });
    place.git(directory, "config", "core.fsmonitor", join(place.path, "monitor"));
    writeFiles(directory, { b: "b\n" });
    await snapshot(directory);
    expect(existsSync(marker)).toBe(false);
  });
});

describe("places that cannot be taken", () => {
  it.each([
    ["absent", "nowhere", "source_refused", /does not exist/],
    ["a file", "app/README.md", "source_refused", /is a file/],
    ["bare", "bare.git", "source_refused", /bare repository/],
    ["inside .git", "app/.git/refs", "source_refused", /inside a \.git/],
    [".git itself", "app/.git", "source_refused", /inside a \.git/],
  ])("%s", async (_, path, code, message) => {
    const directory = place.repository("app");
    place.git(place.path, "clone", "--quiet", "--bare", directory, "bare.git");
    await expect(snapshot(join(place.path, path))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("no git: an error of the environment", async () => {
    const directory = place.repository("app");
    const bare = place.open({ git: "git-that-is-not-there" });
    const asked = bare.snapshotWorkingTree({ repositoryId, directory });
    await expect(asked).rejects.toMatchObject({
      code: "environment",
      message: expect.stringMatching(/not found/),
      remedy: expect.stringMatching(/Install git/),
    });
  });

  it("a data directory that cannot be one", async () => {
    writeFiles(place.path, { "a-file": "" });
    const source = place.open({ directory: join(place.path, "a-file", "mirrors") });
    const asked = source.snapshotWorkingTree({ repositoryId, directory: place.path });
    await expect(asked).rejects.toMatchObject({ code: "data_dir_unusable" });
  });

  it("its own data directory inside it never travels, nor makes it dirty", async () => {
    const directory = place.repository("app", { a: "a\n" });
    writeFiles(directory, { "data/postgres/x": "x", "data/log": "x" });
    const source = place.open({ directory: join(directory, "data", "mirrors") });
    const request = { repositoryId, directory, exclude: [join(directory, "data")] };
    expect(await source.snapshotWorkingTree(request)).toMatchObject({ fileCount: 1, dirty: false });
    expect(await source.snapshotWorkingTree(request)).toMatchObject({ fileCount: 1, dirty: false });
  });

  it("a socket is passed by", async () => {
    const directory = place.repository("app", { a: "a\n" });
    const server = createServer().listen(join(directory, "socket"));
    await once(server, "listening");
    expect(await snapshot(directory)).toMatchObject({ fileCount: 1, dirty: false });
    server.close();
    await once(server, "close");
  });
});
