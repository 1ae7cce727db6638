import { execFileSync } from "node:child_process";
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
      dirty: false,
      subpath: null,
      fileCount: 2,
      submodules: false,
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
    expect(await snapshot(directory)).toMatchObject({ dirty: false, fileCount: 1 });
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

  it("a FIFO is passed by", async () => {
    const directory = place.repository("app", { a: "a\n" });
    execFileSync("mkfifo", [join(directory, "pipe")]);
    expect((await snapshot(directory)).fileCount).toBe(1);
  });
});
