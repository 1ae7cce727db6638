/** A run is dirty when the tree that was taken is not the commit's, whatever `git status` says of it. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
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

const repositoryId = "0198c0de-0000-7000-8000-000000000008";
const snapshot = (directory: string) => place.source.snapshotWorkingTree({ repositoryId, directory });

async function checkout(taken: Pick<WorkingTree, "commit" | "tree">): Promise<string> {
  checkouts += 1;
  const target = join(place.path, `checkout-${checkouts}`);
  await place.source.checkout({ repositoryId, cloneUrl: "/gone", ...taken, submodules: false }, target);
  return target;
}

const status = (directory: string) => place.git(directory, "status", "--porcelain");

describe("what `git status` does not show", () => {
  it.each<[string, (directory: string) => void]>([
    ["a sparse checkout", (directory) => place.git(directory, "sparse-checkout", "set", "in")],
    ["a change under skip-worktree", (directory) => hide(directory, "--skip-worktree", "changed\n")],
    ["a deletion under skip-worktree", (directory) => hide(directory, "--skip-worktree", null)],
    ["a change under assume-unchanged", (directory) => hide(directory, "--assume-unchanged", "changed\n")],
    ["a deletion under assume-unchanged", (directory) => hide(directory, "--assume-unchanged", null)],
    ["a mode under core.fileMode=false", (directory) => rewriteMode(directory)],
    ["a clean filter of the person's", (directory) => filter(directory)],
  ])("makes it dirty: %s", async (_, change) => {
    const directory = place.repository("app", { "in/a": "a\n", "out/b": "b\n" });
    expect(await snapshot(directory)).toMatchObject({ dirty: false });
    change(directory);
    expect(status(directory)).toBe("");
    const taken = await snapshot(directory);
    expect(taken.dirty).toBe(true);
    expect(filesOf(await checkout(taken))).toEqual(filesOf(directory));
  });

  function hide(directory: string, flag: string, content: string | null): void {
    place.git(directory, "update-index", flag, "out/b");
    if (content === null) rmSync(join(directory, "out/b"));
    else writeFileSync(join(directory, "out/b"), content);
  }

  function rewriteMode(directory: string): void {
    place.git(directory, "config", "core.fileMode", "false");
    rmSync(join(directory, "out/b"));
    writeFileSync(join(directory, "out/b"), "b\n", { mode: 0o755 });
  }

  function filter(directory: string): void {
    place.git(directory, "config", "filter.lower.clean", "tr A-Z a-z");
    writeFiles(directory, { ".git/info/attributes": "out/b filter=lower\n", "out/b": "B\n" });
  }
});

describe("a clean directory is the commit, and clean in its checkout", () => {
  it.each([
    ["eol=crlf", "*.txt text eol=crlf\n", "one\r\ntwo\r\n"],
    ["ident", "*.txt ident\n", "$Id$\n"],
    ["working-tree-encoding", "*.txt text working-tree-encoding=UTF-16LE\n", "o\0n\0e\0\n\0"],
  ])("with %s", async (_, attributes, content) => {
    const directory = place.repository("app", { ".gitattributes": attributes, "sub/x": "x\n" });
    writeFiles(directory, { "a.txt": content, "sub/größe\n.txt": content });
    commitAll(place, directory, "converted");
    // The working files are as a checkout writes them.
    for (const name of ["a.txt", "sub/größe\n.txt"]) rmSync(join(directory, name));
    place.git(directory, "checkout", "--quiet", ".");
    const blob = place.git(directory, "cat-file", "-p", "HEAD:a.txt");
    expect(readFileSync(join(directory, "a.txt"), "utf8").trim()).not.toBe(blob);

    const taken = await snapshot(directory);
    expect(taken).toMatchObject({ dirty: false, tree: place.git(directory, "rev-parse", "HEAD^{tree}") });
    const target = await checkout(taken);
    expect(filesOf(target)).toEqual(filesOf(directory));
    expect(status(target)).toBe("");

    writeFileSync(join(directory, "a.txt"), "changed\n");
    const changed = await snapshot(directory);
    expect(changed.dirty).toBe(true);
    expect(filesOf(await checkout(changed))).toEqual(filesOf(directory));
  });

  it("but not with the line ends of the person's own configuration, which no checkout has", async () => {
    const directory = place.repository("app", { "a.txt": "one\n" });
    place.git(directory, "config", "core.autocrlf", "true");
    rmSync(join(directory, "a.txt"));
    place.git(directory, "checkout", "--quiet", ".");
    expect(status(directory)).toBe("");
    const taken = await snapshot(directory);
    expect(taken.dirty).toBe(true);
    expect(filesOf(await checkout(taken))).toEqual({ "a.txt": "file one\r\n" });
  });

  it("in a directory of a repository, whose attributes above do not travel", async () => {
    const directory = place.repository("app", { ".gitattributes": "*.txt eol=crlf\n", "sub/a.txt": "a\n" });
    rmSync(join(directory, "sub/a.txt"));
    place.git(directory, "checkout", "--quiet", ".");
    const taken = await snapshot(join(directory, "sub"));
    expect(taken.dirty).toBe(true);
    expect(filesOf(await checkout(taken))).toEqual({ "a.txt": "file a\r\n" });
  });

  it("in a directory that the commit does not have yet, once it has files", async () => {
    const directory = place.repository("app");
    writeFiles(directory, { "new/.gitignore": "*\n", "new/x": "x" });
    expect(await snapshot(join(directory, "new"))).toMatchObject({ dirty: false });
    writeFiles(directory, { "new/.gitignore": "x\n" });
    expect(await snapshot(join(directory, "new"))).toMatchObject({ dirty: true, fileCount: 1 });
  });
});
