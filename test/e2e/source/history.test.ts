/** What git shows in a checkout of the history before its commit, without the remote and without a credential. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CloneConfig } from "../../../src/domain/index.ts";
import { commitAll, filesOf, gitInput, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let origin: string;
let url: string;

beforeEach(() => {
  place = makePlace();
  origin = place.repository("origin", { a: "1\n" });
  url = `file://${origin}`;
  place.git(origin, "tag", "-a", "-m", "x", "v1.0");
  commit("2");
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000007";
let targets = 0;

function commit(content: string): string {
  writeFiles(origin, { a: `${content}\n` });
  return commitAll(place, origin, content);
}

interface Wanted {
  readonly ref?: string | null;
  readonly sha?: string;
  readonly clone?: CloneConfig;
  readonly links?: string;
}

async function checkedOut({ ref = null, sha, clone, links }: Wanted = {}) {
  const asked = { repositoryId, cloneUrl: url, ref, ...(sha === undefined ? {} : { sha }) };
  const { commit: id, tree } = await place.source.resolve(asked);
  return await checkout({ commit: id, tree }, clone, links);
}

async function checkout(
  taken: { readonly commit: string | null; readonly tree: string },
  clone?: CloneConfig,
  links?: string,
) {
  targets += 1;
  const target = join(place.path, `target-${targets}`);
  const spec = { repositoryId, cloneUrl: url, ...taken, submodules: false, ...(clone ? { clone } : {}) };
  const { notes } = await place.source.checkout(spec, target, links === undefined ? {} : { links });
  return { target, notes, git: (...args: string[]) => place.git(target, ...args) };
}

const subjects = (git: (...args: string[]) => string) => git("log", "--format=%s").split("\n");

describe("a checkout of a remote's commit", () => {
  it("has the history and the tags that point into it, with the remote away", async () => {
    place.git(origin, "tag", "light", "HEAD~1");
    place.git(origin, "checkout", "--quiet", "-b", "side");
    commit("side");
    place.git(origin, "tag", "of-side");
    place.git(origin, "checkout", "--quiet", "main");
    await place.source.resolve({ repositoryId, cloneUrl: url, ref: "side" });
    const resolved = await place.source.resolve({ repositoryId, cloneUrl: url, ref: "main" });
    rmSync(origin, { recursive: true });
    const { git, notes } = await checkout(resolved);
    expect(git("describe")).toMatch(/^v1\.0-1-g/);
    expect(git("tag").split("\n")).toEqual(["light", "v1.0"]);
    expect(subjects(git)).toEqual(["2", "first"]);
    expect(git("diff", "--stat", "HEAD~1")).toMatch(/1 file changed/);
    expect(git("merge-base", "HEAD", "v1.0")).toBe(git("rev-parse", "HEAD~1"));
    expect(git("rev-parse", "--is-shallow-repository")).toBe("false");
    expect(git("status", "--porcelain")).toBe("");
    expect(git("fsck", "--no-dangling")).toBe("");
    expect(notes).toEqual([]);
  });

  it("later fetches what is new, and no more", async () => {
    writeFiles(origin, { big: Buffer.from(Array.from({ length: 300_000 }, () => Math.random() * 256)) });
    commit("big");
    await checkedOut();
    const packs = join(place.mirrors, `${repositoryId}.git`, "objects", "pack");
    const sizes = () =>
      readdirSync(packs)
        .filter((name) => name.endsWith(".pack"))
        .map((name) => statSync(join(packs, name)).size)
        .sort((a, b) => a - b);
    expect(sizes().at(-1)).toBeGreaterThan(300_000);
    commit("small");
    const { git } = await checkedOut();
    expect(sizes()).toHaveLength(2);
    expect(sizes()[0]).toBeLessThan(2000);
    expect(subjects(git)).toEqual(["small", "big", "2", "first"]);
  });

  it("sees tags that were made or moved after the commit was fetched", async () => {
    const head = place.git(origin, "rev-parse", "HEAD");
    expect((await checkedOut()).git("describe")).toMatch(/^v1\.0-1-g/);
    place.git(origin, "tag", "-a", "-m", "x", "v2.0");
    expect((await checkedOut({ ref: "refs/tags/v2.0", sha: head })).git("describe")).toBe("v2.0");
    place.git(origin, "tag", "-a", "-m", "x", "v1.5", "HEAD~1");
    place.git(origin, "tag", "--delete", "v2.0");
    place.git(origin, "tag", "--force", "-a", "-m", "x", "v1.0");
    const { git } = await checkedOut();
    expect(git("tag").split("\n")).toEqual(["v1.0", "v1.5"]);
    expect(git("describe")).toBe("v1.0");
  });

  it("comes with its history where an older version fetched the commit alone", async () => {
    const head = place.git(origin, "rev-parse", "HEAD");
    await checkedOut();
    const mirror = join(place.mirrors, `${repositoryId}.git`);
    const alone = join(place.path, "alone");
    place.git(place.path, "clone", "--quiet", "--bare", "--depth=1", "--no-tags", url, alone);
    for (const name of ["objects", "commits", "tags"]) rmSync(join(mirror, name), { recursive: true });
    cpSync(join(alone, "objects"), join(mirror, "objects"), { recursive: true });
    mkdirSync(join(mirror, "commits"));
    writeFileSync(join(mirror, "commits", head), `${place.git(origin, "rev-parse", "HEAD^{tree}")}\n`);
    writeFileSync(join(mirror, "commits", "recent"), `${head}\n`);
    const { git } = await checkedOut({ ref: "refs/heads/main", sha: head });
    expect(git("describe")).toMatch(/^v1\.0-1-g/);
  });

  it("is shallow where the remote is, and says so", async () => {
    commit("3");
    const shallow = join(place.path, "shallow");
    place.git(place.path, "clone", "--quiet", "--bare", "--depth=2", url, shallow);
    url = `file://${shallow}`;
    const { git, notes } = await checkedOut();
    expect(subjects(git)).toEqual(["3", "2"]);
    expect(git("fsck", "--no-dangling")).toBe("");
    expect(notes).toEqual([expect.stringMatching(/shallow/)]);
  });
});

describe("tags in a checkout are those of a clone", () => {
  /** With names as bytes. */
  const tagsOf = (directory: string) =>
    execFileSync("git", ["show-ref", "--tags", "--dereference"], {
      cwd: directory,
      env: place.environment,
      encoding: "latin1",
    });

  beforeEach(() => {
    place.git(origin, "tag", "-a", "-m", "x", "v1.1", "v1.0");
    place.git(origin, "tag", "-a", "-m", "x", "nested3", "v1.1");
    place.git(origin, "tag", "größe", "HEAD~1");
    const update = `create refs/tags/gr\xf6\xdfe ${place.git(origin, "rev-parse", "HEAD~1")}\n`;
    gitInput(place, origin, ["update-ref", "--stdin"], Buffer.from(update, "latin1"));
  });

  it.each([
    ["of a remote's", async () => (await checkedOut()).target],
    [
      "of a directory's",
      async () => {
        const taken = await place.source.snapshotWorkingTree({ repositoryId, directory: origin });
        return (await checkout(taken)).target;
      },
    ],
  ])("tags of tags, and names that are not UTF-8, %s", async (_, make) => {
    const clone = join(place.path, "clone");
    place.git(place.path, "clone", "--quiet", url, clone);
    const tags = tagsOf(clone);
    expect(tags).toContain("refs/tags/gr\xf6\xdfe\n");
    place.git(origin, "tag", "blob", "HEAD:a");
    place.git(origin, "tag", "-a", "-m", "x", "tree", "HEAD^{tree}");
    place.git(origin, "tag", "-a", "-m", "x", "nested-tree", "tree");
    const target = await make();
    expect(tagsOf(target)).toBe(tags);
    expect(readFileSync(join(target, ".git", "packed-refs"), "latin1")).toContain(
      `refs/tags/nested3\n^${place.git(origin, "rev-parse", "HEAD~1")}\n`,
    );
    for (const args of [[], ["--match", "nested3"], ["--tags"]])
      expect(place.git(target, "describe", ...args)).toBe(place.git(clone, "describe", ...args));
  });

  it("of a tag of a tag that was asked for", async () => {
    const { git } = await checkedOut({ ref: "nested3" });
    expect(git("rev-parse", "HEAD")).toBe(place.git(origin, "rev-parse", "HEAD~1"));
    expect(git("describe", "--match", "nested3")).toBe("nested3");
    const again = await checkedOut({ ref: "refs/tags/größe", sha: git("rev-parse", "HEAD") });
    expect(again.git("tag").split("\n")).toContain("größe");
  });
});

describe("less than all of the history", () => {
  it.each([
    [{ depth: 1, tags: true }, ["merge"], []],
    [{ depth: 2, tags: true }, ["merge", "side", "2"], []],
    [{ depth: 3, tags: true }, ["merge", "side", "2", "first"], ["v1.0"]],
    [{ depth: 9, tags: false }, ["merge", "side", "2", "first"], []],
    [{ depth: null, tags: false }, ["merge", "side", "2", "first"], []],
  ] as const)("%j", async (clone, history, tags) => {
    place.git(origin, "checkout", "--quiet", "-b", "side", "HEAD~1");
    writeFiles(origin, { b: "side\n" });
    commitAll(place, origin, "side");
    place.git(origin, "checkout", "--quiet", "main");
    place.git(origin, "merge", "--quiet", "--no-ff", "-m", "merge", "side");
    const { git } = await checkedOut({ clone });
    expect(subjects(git).toSorted()).toEqual([...history].toSorted());
    expect(git("tag").split("\n").filter(Boolean)).toEqual(tags);
    expect(git("fsck", "--no-dangling")).toBe("");
  });
});

describe("a directory's checkout", () => {
  const take = (directory: string) => place.source.snapshotWorkingTree({ repositoryId, directory });

  it("has the history of HEAD, clean and with uncommitted changes, and tags that are made later", async () => {
    const clean = await checkout(await take(origin));
    expect(clean.git("describe")).toMatch(/^v1\.0-1-g/);
    place.git(origin, "tag", "-a", "-m", "x", "v2.0");
    writeFiles(origin, { new: "new\n" });
    const taken = await take(origin);
    const dirty = await checkout(taken);
    expect(dirty.git("describe")).toBe("v2.0");
    expect(subjects(dirty.git)).toEqual(["2", "first"]);
    expect(dirty.git("diff", "--name-only", "--cached", "HEAD~1").split("\n")).toEqual(["a", "new"]);
    const named = await place.source.snapshotCommit({ repositoryId, directory: origin, ref: "v1.0" });
    expect((await checkout(named)).git("describe")).toBe("v1.0");
  });

  it("of a shallow clone says so, and has the history once the clone has", async () => {
    commit("3");
    const clone = join(place.path, "clone");
    place.git(place.path, "clone", "--quiet", "--depth=2", url, clone);
    const before = await checkout(await take(clone));
    expect(subjects(before.git)).toEqual(["3", "2"]);
    expect(before.git("fsck", "--no-dangling")).toBe("");
    expect(before.notes).toEqual([expect.stringMatching(/shallow/)]);
    place.git(clone, "fetch", "--quiet", "--unshallow");
    const after = await checkout(await take(clone));
    expect(subjects(after.git)).toEqual(["3", "2", "first"]);
    expect(after.notes).toEqual([]);
  });

  it("of a partial clone has the commit at least", async () => {
    place.git(origin, "config", "uploadpack.allowFilter", "true");
    const clone = join(place.path, "clone");
    place.git(place.path, "clone", "--quiet", "--filter=blob:none", url, clone);
    const { git, notes, target } = await checkout(await take(clone));
    expect(filesOf(target)).toEqual({ a: "file 2\n" });
    expect(subjects(git)).toEqual(["2"]);
    expect(notes).toEqual([expect.stringMatching(/lacks old files/)]);
  });
});

describe("objects for readers who may not look into the mirrors", () => {
  it("stay when the mirror has gathered its packs, and hold uncommitted files", async () => {
    const links = join(place.path, "links");
    writeFiles(origin, { new: "new\n" });
    const taken = await place.source.snapshotWorkingTree({ repositoryId, directory: origin });
    const { target, git } = await checkout(taken, undefined, links);
    expect(statSync(join(links, "0", "pack")).mode & 0o777).toBe(0o755);
    for (const name of readdirSync(join(links, "0", "pack")))
      expect(statSync(join(links, "0", "pack", name)).mode & 0o777).toBe(0o444);
    rmSync(place.mirrors, { recursive: true });
    expect(git("describe")).toMatch(/^v1\.0-1-g/);
    expect(git("fsck", "--no-dangling")).toBe("");
    expect(git("diff", "--name-only", "--cached")).toBe("new");
    expect(gitInput(place, target, ["cat-file", "-p", ":new"], "")).toBe("new");
  });
});
