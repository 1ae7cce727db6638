import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WorkingTree } from "../../../src/source/index.ts";
import { commitAll, filesOf, gitBytes, makePlace, type Place, writeFiles } from "./repositories.ts";

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

describe("a clean repository", () => {
  it("gives its commit, branch and tree, and is not dirty", async () => {
    const directory = place.repository("app", { "a.txt": "a\n", "sub/b.txt": "b\n" });
    const taken = await snapshot(directory);
    expect(taken).toEqual({
      commit: place.git(directory, "rev-parse", "HEAD"),
      tree: place.git(directory, "rev-parse", "HEAD^{tree}"),
      ref: "refs/heads/main",
      branch: "main",
      tag: null,
      cut: false,
      dirty: false,
      subpath: null,
      fileCount: 2,
      submodules: false,
      nested: [],
    });
    expect(await travelled(taken)).toEqual({ "a.txt": "file a\n", "sub/b.txt": "file b\n" });
  });

  it("that is detached at a tag gives the tag, elsewhere neither tag nor branch", async () => {
    const directory = place.repository("app");
    place.git(directory, "tag", "-a", "-m", "x", "v1.2");
    place.git(directory, "checkout", "--quiet", "v1.2");
    expect(await snapshot(directory)).toMatchObject({ ref: "refs/tags/v1.2", tag: "v1.2", branch: null });
    writeFiles(directory, { more: "" });
    commitAll(place, directory, "more");
    expect(await snapshot(directory)).toMatchObject({ ref: null, tag: null, branch: null });
  });

  it("is byte for byte as before: index, refs, objects, and no lock is needed", async () => {
    const directory = place.repository("app", { "a.txt": "a\n", "b.txt": "b\n" });
    appendFileSync(join(directory, "a.txt"), "more\n");
    writeFiles(directory, { "untracked.txt": "u\n" });
    // A stale stat makes git want to refresh the index; it must not.
    utimesSync(join(directory, "b.txt"), new Date(0), new Date(0));
    writeFileSync(join(directory, ".git", "index.lock"), "");
    const before = gitBytes(directory);
    await snapshot(directory);
    await snapshot(directory);
    expect(gitBytes(directory)).toEqual(before);
  });
});

describe("a dirty repository", () => {
  it("travels as it is: changes, additions, deletions, modes, symlinks; not what is ignored", async () => {
    const directory = place.repository("app", {
      ".gitignore": "*.log\nbuild/\n",
      "kept.txt": "kept\n",
      "changed.txt": "old\n",
      "deleted.txt": "gone\n",
      "staged.txt": "old\n",
      "script.sh": "#!/bin/sh\n",
    });
    writeFiles(directory, {
      "changed.txt": "new\n",
      "staged.txt": "staged\n",
      "untracked/deep/file": "u\n",
      "debug.log": "ignored",
      "build/out": "ignored",
    });
    place.git(directory, "add", "staged.txt");
    rmSync(join(directory, "deleted.txt"));
    chmodSync(join(directory, "script.sh"), 0o755);
    symlinkSync("/etc/passwd", join(directory, "outward"));
    symlinkSync("nowhere", join(directory, "dangling"));
    mkdirSync(join(directory, "empty"));
    const taken = await snapshot(directory);
    expect(taken).toMatchObject({ dirty: true, fileCount: 8, branch: "main" });
    expect(await travelled(taken)).toEqual({
      ".gitignore": "file *.log\nbuild/\n",
      "kept.txt": "file kept\n",
      "changed.txt": "file new\n",
      "staged.txt": "file staged\n",
      "script.sh": "exec #!/bin/sh\n",
      "untracked/deep/file": "file u\n",
      outward: "-> /etc/passwd",
      dangling: "-> nowhere",
    });
  });

  it.each([
    ["an untracked file", (directory: string) => writeFiles(directory, { new: "" })],
    ["a deletion", (directory: string) => rmSync(join(directory, "README.md"))],
    ["a mode", (directory: string) => chmodSync(join(directory, "README.md"), 0o755)],
  ])("is dirty by %s alone", async (_, change) => {
    const directory = place.repository("app");
    change(directory);
    expect((await snapshot(directory)).dirty).toBe(true);
  });

  it("carries what is tracked although ignored, and honours info/exclude and the person's own excludes file", async () => {
    const directory = place.repository("app", { "tracked.log": "t\n" });
    writeFiles(place.path, { "home/.config/git/ignore": "*.swp\n" });
    writeFiles(directory, {
      ".gitignore": "*.log\n",
      "other.log": "x",
      "a.swp": "x",
      private: "x",
      seen: "s\n",
    });
    writeFiles(directory, { ".git/info/exclude": "private\n" });
    expect(Object.keys(await travelled(await snapshot(directory))).sort()).toEqual([
      ".gitignore",
      "seen",
      "tracked.log",
    ]);
  });

  it("follows each change from one snapshot to the next", async () => {
    const directory = place.repository("app", { a: "1\n", b: "1\n", c: "1\n" });
    const first = await snapshot(directory);
    writeFiles(directory, { a: "2\n", d: "1\n" });
    rmSync(join(directory, "b"));
    expect(await travelled(await snapshot(directory))).toEqual({
      a: "file 2\n",
      c: "file 1\n",
      d: "file 1\n",
    });
    // No longer listed, though it is still there.
    writeFiles(directory, { ".gitignore": "d\n" });
    expect(Object.keys(await travelled(await snapshot(directory))).sort()).toEqual([".gitignore", "a", "c"]);
    place.git(directory, "rm", "--quiet", "--cached", "c");
    writeFiles(directory, { ".gitignore": "c\nd\n" });
    expect(Object.keys(await travelled(await snapshot(directory))).sort()).toEqual([".gitignore", "a"]);
    expect(await travelled(first)).toEqual({ a: "file 1\n", b: "file 1\n", c: "file 1\n" });
  });

  it("sees a change of equal length within the same moment", async () => {
    const directory = place.repository("app", { a: "0" });
    for (const digit of ["1", "2", "3", "4", "5"]) {
      writeFiles(directory, { a: digit });
      expect(await travelled(await snapshot(directory))).toEqual({ a: `file ${digit}` });
    }
  });

  it("turns files into directories, directories into symlinks, and back", async () => {
    const directory = place.repository("app", { "a/b": "b\n", c: "c\n", "d/e": "e\n", "f/g": "g\n" });
    await snapshot(directory);
    rmSync(join(directory, "a"), { recursive: true });
    symlinkSync("c", join(directory, "a"));
    rmSync(join(directory, "c"));
    writeFiles(directory, { "c/x": "x\n" });
    renameSync(join(directory, "d"), join(directory, "moved"));
    symlinkSync("moved", join(directory, "d"));
    rmSync(join(directory, "f"), { recursive: true });
    writeFiles(directory, { f: "f\n" });
    const expected = { a: "-> c", "c/x": "file x\n", d: "-> moved", "moved/e": "file e\n", f: "file f\n" };
    expect(await travelled(await snapshot(directory))).toEqual(expected);
    place.git(directory, "clean", "-fdq");
    place.git(directory, "checkout", "--quiet", "--force", ".");
    expect(await travelled(await snapshot(directory))).toEqual({
      "a/b": "file b\n",
      c: "file c\n",
      "d/e": "file e\n",
      "f/g": "file g\n",
    });
  });

  it("with a tracked file behind an empty directory of its name", async () => {
    const directory = place.repository("app", { a: "a\n", b: "b\n" });
    rmSync(join(directory, "a"));
    mkdirSync(join(directory, "a"));
    expect(await travelled(await snapshot(directory))).toEqual({ b: "file b\n" });
  });

  it("in the middle of a merge conflict", async () => {
    const directory = place.repository("app", { a: "base\n" });
    place.git(directory, "checkout", "--quiet", "-b", "other");
    writeFiles(directory, { a: "other\n" });
    commitAll(place, directory, "other");
    place.git(directory, "checkout", "--quiet", "main");
    writeFiles(directory, { a: "main\n" });
    commitAll(place, directory, "main");
    expect(() => place.git(directory, "merge", "other")).toThrow();
    const files = await travelled(await snapshot(directory));
    expect(files.a).toContain("<<<<<<<");
  });
});

describe("names", () => {
  it("with line ends, tabs, quotes, leading dashes and bytes that are not UTF-8", async () => {
    const directory = place.repository("app");
    const names = [
      "a\nb",
      "tab\there",
      'quote"s',
      "-rf",
      "--help",
      "back\\slash",
      " space ",
      "größe",
      ":(top)x",
      "#x",
    ];
    for (const name of names) writeFiles(directory, { [name]: `${name}\n` });
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe, 0x41])]), "bytes\n");
    const taken = await snapshot(directory);
    expect(await travelled(taken)).toEqual(filesOf(directory));
    expect(taken.fileCount).toBe(names.length + 2);
    expect(await travelled(await snapshot(directory))).toEqual(filesOf(directory));
  });

  it("of the directory itself, with spaces, quotes, colons and a line end", async () => {
    for (const name of ["with space", 'quote"', "co:lon", "line\nend", "-dash"]) {
      const directory = place.repository(name, { a: "a\n", "sub/x": "x\n" });
      appendFileSync(join(directory, "a"), "b\n");
      expect(await travelled(await snapshot(directory))).toEqual(filesOf(directory));
      expect(await snapshot(join(directory, "sub"))).toMatchObject({
        subpath: "sub",
        fileCount: 1,
        dirty: false,
      });
    }
  });
});

describe("bytes", () => {
  it("are those of the directory, whatever attributes, filters and line-end settings say", async () => {
    const marker = join(place.path, "smudged");
    const directory = place.repository("app", { ".gitattributes": "", "plain.txt": "a\n" });
    place.git(directory, "config", "--global", "filter.upper.clean", "tr a-z A-Z");
    place.git(directory, "config", "--global", "filter.upper.smudge", `touch ${marker}; tr A-Z a-z`);
    writeFiles(directory, {
      ".gitattributes":
        "*.txt text eol=crlf\n*.id ident\n*.up filter=upper\n*.u16 working-tree-encoding=UTF-16LE text\n*.auto text=auto\n",
      "crlf.txt": "one\r\ntwo\r\n",
      "lf.txt": "one\ntwo\n",
      "mixed.auto": "one\r\ntwo\n",
      "a.id": "$Id$ and $Id: 123 $\n",
      "a.up": "Mixed Case\n",
      "a.u16": Buffer.from("hällo\r\n", "utf16le"),
    });
    commitAll(place, directory, "converted");
    place.git(directory, "config", "core.autocrlf", "true");
    const before = filesOf(directory);
    const taken = await snapshot(directory);
    expect(await travelled(taken)).toEqual(before);
    expect(await travelled(await snapshot(directory))).toEqual(before);
    expect(existsSync(marker)).toBe(false);
  });

  it("do not need the person's repository any more", async () => {
    const directory = place.repository("app", { a: "a\n", b: "b\n" });
    appendFileSync(join(directory, "a"), "changed\n");
    const before = filesOf(directory);
    const taken = await snapshot(directory);
    rmSync(directory, { recursive: true });
    expect(await travelled(taken)).toEqual(before);
    const clone = join(place.path, "checkout-of-nothing");
    await place.source.checkout({ repositoryId, cloneUrl: directory, ...taken, submodules: false }, clone);
    expect(place.git(clone, "log", "--format=%s")).toBe("first");
    expect(place.git(clone, "diff", "--name-only", "HEAD")).toBe("a");
    expect(place.git(clone, "fsck", "--full", "--no-dangling")).toBe("");
  });
});
