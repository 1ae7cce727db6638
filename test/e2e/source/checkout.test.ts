import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitAll, filesOf, gitInput, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let origin: string;
let url: string;

beforeEach(() => {
  place = makePlace();
  origin = place.repository("origin", { a: "1\n", "dir/b": "b\n" });
  url = `file://${origin}`;
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000003";

async function resolved(ref: string | null = null) {
  const { commit, tree } = await place.source.resolve({ repositoryId, cloneUrl: url, ref });
  return { repositoryId, cloneUrl: url, commit, tree, submodules: false };
}

describe("a checkout", () => {
  it("is a real clone at the commit: describe, status, log, diff, fetch of tags", async () => {
    place.git(origin, "tag", "v1");
    writeFiles(origin, { a: "2\n" });
    symlinkSync("/etc/passwd", join(origin, "outward"));
    writeFileSync(join(origin, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    commitAll(place, origin, "second");
    const spec = await resolved();
    const target = join(place.path, "work", "deep");
    expect(await place.source.checkout(spec, target)).toEqual({ notes: [] });
    expect(filesOf(target)).toEqual(filesOf(origin));
    expect(place.git(target, "rev-parse", "HEAD")).toBe(spec.commit);
    expect(place.git(target, "status", "--porcelain")).toBe("");
    expect(place.git(target, "describe", "--always", "--dirty")).not.toMatch(/dirty/);
    expect(place.git(target, "log", "--format=%s")).toBe("second\nfirst");
    expect(place.git(target, "config", "remote.origin.url")).toBe(url);
    expect(place.git(target, "fsck", "--no-dangling")).toBe("");
    place.git(target, "fetch", "--quiet", "--tags");
    expect(place.git(target, "describe", "--tags")).toMatch(/^v1-1-g/);
  });

  it("goes into a directory that is there and empty, and into no other", async () => {
    const spec = await resolved();
    const target = join(place.path, "target");
    mkdirSync(target);
    await place.source.checkout(spec, target);
    await expect(place.source.checkout(spec, target)).rejects.toMatchObject({
      message: expect.stringMatching(/not empty/),
    });
    writeFileSync(join(place.path, "file"), "");
    await expect(place.source.checkout(spec, join(place.path, "file"))).rejects.toMatchObject({
      code: "data_dir_unusable",
    });
  });

  it("of a commit converts line ends as a clone would; a filter of the person's does not run", async () => {
    const marker = join(place.path, "ran");
    place.git(origin, "config", "--global", "filter.f.smudge", `touch ${marker}; cat`);
    writeFiles(origin, {
      ".gitattributes": "*.bat text eol=crlf\n*.f filter=f\n",
      "x.bat": "a\nb\n",
      "x.f": "f\n",
    });
    commitAll(place, origin, "attributes");
    const target = join(place.path, "target");
    await place.source.checkout(await resolved(), target);
    expect(filesOf(target)["x.bat"]).toBe("file a\r\nb\r\n");
    expect(filesOf(target)["x.f"]).toBe("file f\n");
    expect(existsSync(marker)).toBe(false);
    expect(place.git(target, "status", "--porcelain")).toBe("");
  });

  it("fetches the commit when the mirror does not have it, as on another machine", async () => {
    const spec = await resolved();
    rmSync(place.mirrors, { recursive: true });
    const target = join(place.path, "target");
    await place.source.checkout(spec, target);
    expect(filesOf(target)).toEqual(filesOf(origin));
  });

  it("of more files than one process takes", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 600 }, (_, index) => [`d${index % 7}/f${index}`, `${index}\n`]),
    );
    writeFiles(origin, files);
    commitAll(place, origin, "many");
    const target = join(place.path, "target");
    await place.source.checkout(await resolved(), target);
    expect(filesOf(target)).toEqual(filesOf(origin));
  });

  it("of a tree that is nowhere, says so", async () => {
    const spec = { repositoryId, cloneUrl: url, commit: null, tree: "1".repeat(40), submodules: false };
    const target = join(place.path, "target");
    await expect(place.source.checkout(spec, target)).rejects.toMatchObject({ code: "source_unavailable" });
    await expect(place.source.checkout({ ...spec, tree: "--exec" }, target)).rejects.toMatchObject({
      code: "source_unavailable",
    });
  });
});

describe("a commit of a local repository", () => {
  const take = (directory: string, ref: string) =>
    place.source.snapshotCommit({ repositoryId, directory, ref });

  it("is taken by branch, tag, id or its beginning, with the directory as root and the working files left alone", async () => {
    const first = place.git(origin, "rev-parse", "HEAD");
    place.git(origin, "tag", "-a", "-m", "x", "v1");
    writeFiles(origin, { a: "2\n", "dir/c": "c\n" });
    commitAll(place, origin, "second");
    writeFiles(origin, { a: "dirty\n" });
    expect(await take(origin, "v1")).toEqual({
      commit: first,
      tree: place.git(origin, "rev-parse", "v1^{tree}"),
      ref: "refs/tags/v1",
      branch: null,
      tag: "v1",
      dirty: false,
      cut: false,
      subpath: null,
      fileCount: 2,
      submodules: false,
      nested: [],
    });
    expect(await take(origin, "main")).toMatchObject({ branch: "main", fileCount: 3 });
    expect(await take(origin, first.slice(0, 8))).toMatchObject({ commit: first, ref: null });
    const inner = await take(join(origin, "dir"), "v1");
    expect(inner).toMatchObject({ commit: first, subpath: "dir", fileCount: 1 });
    rmSync(origin, { recursive: true });
    const target = join(place.path, "target");
    await place.source.checkout({ repositoryId, cloneUrl: origin, ...inner, submodules: false }, target);
    expect(filesOf(target)).toEqual({ b: "file b\n" });
    expect(place.git(target, "rev-parse", "HEAD")).toBe(first);
  });

  it("prefers a branch to a tag of its name, as a remote does", async () => {
    place.git(origin, "tag", "both");
    place.git(origin, "checkout", "--quiet", "-b", "both");
    writeFiles(origin, { a: "2\n" });
    const second = commitAll(place, origin, "second");
    expect(await take(origin, "both")).toMatchObject({ commit: second, branch: "both", tag: null });
  });

  it("is refused when it is not there, or lacks the directory, or there is no repository", async () => {
    await expect(take(origin, "mian")).rejects.toMatchObject({
      code: "ref_not_found",
      remedy: "Did you mean main?",
    });
    await expect(take(origin, "-main")).rejects.toMatchObject({ code: "source_refused" });
    await expect(take(origin, "1".repeat(40))).rejects.toMatchObject({ code: "ref_not_found" });
    mkdirSync(join(origin, "new"));
    await expect(take(join(origin, "new"), "main")).rejects.toMatchObject({ code: "source_refused" });
    mkdirSync(join(place.path, "plain"));
    await expect(take(join(place.path, "plain"), "main")).rejects.toMatchObject({ code: "source_refused" });
    const empty = place.repository("empty", {});
    await expect(take(empty, "main")).rejects.toMatchObject({ code: "ref_not_found" });
  });
});

describe("a file of a tree", () => {
  it("is read whole, or not there, or refused", async () => {
    writeFiles(origin, {
      ".shipinator.yaml": "build: {}\n",
      "dir/x": "x\n",
      big: "x".repeat(5000),
      empty: "",
    });
    writeFileSync(join(origin, "run.sh"), "#!\n", { mode: 0o755 });
    symlinkSync("a", join(origin, "link"));
    symlinkSync("dir", join(origin, "linked"));
    commitAll(place, origin, "more");
    const at = await resolved();
    const read = async (path: string, max = 1000) =>
      (await place.source.readFile(at, path, max))?.toString() ?? null;
    expect(await read(".shipinator.yaml")).toBe("build: {}\n");
    expect(await read("dir/x")).toBe("x\n");
    expect(await read("run.sh")).toBe("#!\n");
    expect(await read("empty", 0)).toBe("");
    expect(await read("big", 5000)).toHaveLength(5000);
    expect(await read("nope")).toBeNull();
    expect(await read("nope/x")).toBeNull();
    expect(await read("a/x")).toBeNull();
    expect(await read("linked/x")).toBeNull();
    await expect(read("big", 4999)).rejects.toMatchObject({
      code: "source_refused",
      message: expect.stringMatching(/5000/),
    });
    await expect(read("link")).rejects.toMatchObject({
      code: "source_refused",
      message: expect.stringMatching(/symlink/),
    });
    await expect(read("dir")).rejects.toMatchObject({
      code: "source_refused",
      message: expect.stringMatching(/directory/),
    });
    for (const path of ["", "/etc/passwd", "../x", "dir/../a", "a\nb", "./a"])
      await expect(read(path)).rejects.toMatchObject({ code: "source_refused" });
    const gone = place.source.readFile({ repositoryId, tree: "1".repeat(40) }, "a", 10);
    await expect(gone).rejects.toMatchObject({ code: "source_unavailable" });
  });
});

describe("submodules", () => {
  let library: string;

  beforeEach(() => {
    library = place.repository("library", { "lib.c": "1\n" });
    place.git(
      origin,
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "--quiet",
      "add",
      library,
      "vendor/lib",
    );
    place.git(origin, "config", "-f", ".gitmodules", "submodule.vendor/lib.url", "../library");
    commitAll(place, origin, "submodule");
  });

  it("are left out and named where nobody asks", async () => {
    const target = join(place.path, "target");
    const { notes } = await place.source.checkout(await resolved(), target);
    expect(notes).toEqual([expect.stringMatching(/submodules.*not fetched/)]);
    expect(readdirSync(join(target, "vendor", "lib"))).toEqual([]);
  });

  it("are fetched where asked for, relative addresses and nested ones too, each at its commit", async () => {
    const inner = place.repository("inner", { "inner.c": "i\n" });
    place.git(library, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "in");
    const wanted = commitAll(place, library, "nested");
    place.git(join(origin, "vendor/lib"), "-c", "protocol.file.allow=always", "pull", "--quiet");
    commitAll(place, origin, "newer");
    writeFiles(library, { "lib.c": "later\n" });
    commitAll(place, library, "later");
    const target = join(place.path, "target");
    const { notes } = await place.source.checkout({ ...(await resolved()), submodules: true }, target);
    expect(notes).toHaveLength(2);
    expect(notes[0]).toContain(wanted.slice(0, 12));
    expect(filesOf(join(target, "vendor/lib"))["lib.c"]).toBe("file 1\n");
    expect(filesOf(join(target, "vendor/lib/in"))).toEqual({ "inner.c": "file i\n" });
    expect(place.git(target, "status", "--porcelain")).toBe("");
  });

  it("with an address that is not allowed are refused, and nothing runs", async () => {
    const marker = join(place.path, "owned");
    place.git(origin, "config", "-f", ".gitmodules", "submodule.vendor/lib.url", `ext::touch ${marker}`);
    commitAll(place, origin, "hostile");
    const asked = place.source.checkout(
      { ...(await resolved()), submodules: true },
      join(place.path, "target"),
    );
    await expect(asked).rejects.toMatchObject({ code: "source_refused" });
    expect(existsSync(marker)).toBe(false);
  });

  it.each(["", "file://"])(
    "of a hosted repository are not %srepositories of this machine",
    async (prefix) => {
      place.git(origin, "config", "-f", ".gitmodules", "submodule.vendor/lib.url", `${prefix}${library}`);
      commitAll(place, origin, "local");
      const hosted = { ...(await resolved()), cloneUrl: "https://git.example/origin", submodules: true };
      const asked = place.source.checkout(hosted, join(place.path, "target"));
      await expect(asked).rejects.toMatchObject({ code: "source_refused" });
    },
  );
});

describe("hostile trees", () => {
  type Entry = readonly [mode: string, name: string, id: string];

  /** Trees that git itself would not make. */
  function commitTree(entries: readonly Entry[]): void {
    const raw = Buffer.concat(
      entries.map(([mode, name, id]) =>
        Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, "hex")]),
      ),
    );
    const tree = gitInput(place, origin, ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], raw);
    const commit = gitInput(place, origin, ["commit-tree", tree], "hostile");
    place.git(origin, "update-ref", "refs/heads/hostile", commit);
  }
  const blob = (content: string) => gitInput(place, origin, ["hash-object", "-w", "--stdin"], content);
  const treeOf = (name: string, id: string) =>
    gitInput(place, origin, ["mktree"], `100644 blob ${id}\t${name}\n`);

  it.each([
    [".git", () => [["40000", ".git", treeOf("config", blob("[core]\n"))]]],
    [".GIT", () => [["40000", ".GIT", treeOf("config", blob("[core]\n"))]]],
    [".git, a file", () => [["100644", ".git", blob("gitdir: /etc\n")]]],
    ["..", () => [["40000", "..", treeOf("owned", blob("x"))]]],
    [".", () => [["40000", ".", treeOf("owned", blob("x"))]]],
    ["a slash", () => [["100644", "../owned", blob("x")]]],
    ["an absolute path", () => [["100644", "/tmp/shipinator-owned", blob("x")]]],
    ["no name", () => [["100644", "", blob("x")]]],
    [
      "a symlink and files under it",
      () => [
        ["120000", "a", blob("../outside")],
        ["40000", "a", treeOf("owned", blob("x"))],
      ],
    ],
    ["a .gitmodules that is a symlink", () => [["120000", ".gitmodules", blob("/etc/passwd")]]],
  ] satisfies [string, () => Entry[]][])(
    "with %s write nothing outside of the target",
    async (_, entries) => {
      commitTree(entries());
      const outside = join(place.path, "work", "outside");
      const target = join(place.path, "work", "target");
      mkdirSync(outside, { recursive: true });
      const outcome = await resolved("hostile")
        .then((spec) => place.source.checkout({ ...spec, submodules: true }, target))
        .catch((error: unknown) => error);
      expect(readdirSync(outside)).toEqual([]);
      expect(readdirSync(join(place.path, "work")).filter((name) => name !== "target")).toEqual(["outside"]);
      expect(existsSync("/tmp/shipinator-owned")).toBe(false);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ name: "Problem" });
      if (existsSync(join(target, ".git", "config")))
        expect(place.git(target, "config", "remote.origin.url")).toBe(url);
    },
  );

  it("with names that differ in case alone come whole", async () => {
    commitTree([
      ["100644", "A", blob("upper")],
      ["100644", "a", blob("lower")],
    ]);
    const target = join(place.path, "target");
    await place.source.checkout(await resolved("hostile"), target);
    expect(filesOf(target)).toEqual({ A: "file upper", a: "file lower" });
  });
});
