import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitAll, filesOf, gitBytes, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let origin: string;
let url: string;

beforeEach(() => {
  place = makePlace();
  origin = place.repository("origin", { a: "1\n", "dir/b": "b\n" });
  url = `file://${origin}`;
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000002";
const resolve = (ref: string | null, sha?: string) =>
  place.source.resolve({ repositoryId, cloneUrl: url, ref, ...(sha === undefined ? {} : { sha }) });
const head = (ref = "HEAD") => place.git(origin, "rev-parse", `${ref}^{commit}`);

describe("resolve", () => {
  it("takes the remote's HEAD, and says which branch it is", async () => {
    expect(await resolve(null)).toEqual({
      commit: head(),
      tree: place.git(origin, "rev-parse", "HEAD^{tree}"),
      ref: "refs/heads/main",
      branch: "main",
      tag: null,
      defaultBranch: "main",
      cut: false,
    });
  });

  it("takes branches, tags of both kinds, full names and commit ids, also ones that no ref points at", async () => {
    place.git(origin, "tag", "light");
    place.git(origin, "tag", "-a", "-m", "x", "heavy");
    place.git(origin, "checkout", "--quiet", "-b", "team/side");
    writeFiles(origin, { a: "2\n" });
    const middle = commitAll(place, origin, "second");
    writeFiles(origin, { a: "3\n" });
    commitAll(place, origin, "third");
    place.git(origin, "update-ref", "refs/pull/7/head", middle);
    expect(await resolve("team/side")).toMatchObject({ branch: "team/side", commit: head() });
    expect(await resolve("light")).toMatchObject({
      ref: "refs/tags/light",
      tag: "light",
      branch: null,
      commit: head("main"),
    });
    expect(await resolve("heavy")).toMatchObject({ tag: "heavy", commit: head("main") });
    expect(await resolve("refs/pull/7/head")).toMatchObject({ commit: middle, branch: null, tag: null });
    expect(await resolve(middle)).toMatchObject({ commit: middle, ref: null });
    expect(await resolve(middle.toUpperCase())).toMatchObject({ commit: middle });
    expect(await resolve("main", middle)).toMatchObject({ commit: middle, ref: "refs/heads/main" });
    expect(await resolve("gone-by-now", middle)).toMatchObject({ commit: middle, ref: null });
  });

  it("follows a branch that moved, also backwards", async () => {
    const first = (await resolve("main")).commit;
    writeFiles(origin, { a: "2\n" });
    const second = commitAll(place, origin, "second");
    expect((await resolve("main")).commit).toBe(second);
    place.git(origin, "reset", "--quiet", "--hard", first);
    expect((await resolve("main")).commit).toBe(first);
  });

  it("fetches the commit with its history", async () => {
    for (const content of ["2\n", "3\n"]) {
      writeFiles(origin, { a: content });
      commitAll(place, origin, content);
    }
    await resolve(null);
    const mirror = join(place.mirrors, `${repositoryId}.git`);
    const objects = place
      .git(mirror, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
      .split("\n");
    expect(objects.filter((type) => type === "commit")).toHaveLength(3);
  });

  it("needs the remote no more for a commit it has, when the id is given", async () => {
    const { commit, tree } = await resolve(null);
    rmSync(origin, { recursive: true });
    expect(await resolve("refs/heads/main", commit)).toMatchObject({ commit, tree });
    await expect(resolve("main")).rejects.toMatchObject({ code: "source_refused" });
  });

  it("works with a server that gives nothing by id: by ref, and by the whole history", async () => {
    writeFiles(place.path, { "home/.gitconfig": "[user]\nname=T\nemail=t@t\n[protocol]\nversion = 0\n" });
    const first = head();
    writeFiles(origin, { a: "2\n" });
    const second = commitAll(place, origin, "second");
    place.git(origin, "config", "uploadpack.allowTipSHA1InWant", "false");
    expect((await resolve("main")).commit).toBe(second);
    expect((await resolve(null, first)).commit).toBe(first);
    const target = join(place.path, "target");
    const { tree } = await resolve(null, first);
    await place.source.checkout(
      { repositoryId, cloneUrl: url, commit: first, tree, submodules: false },
      target,
    );
    expect(filesOf(target).a).toBe("file 1\n");
  });

  it("leaves the remote as it is", async () => {
    const before = gitBytes(origin);
    await resolve(null);
    expect(gitBytes(origin)).toEqual(before);
  });
});

describe("refs that are not there", () => {
  it("are said, with what may have been meant", async () => {
    place.git(origin, "branch", "develop");
    await expect(resolve("devlop")).rejects.toMatchObject({
      code: "ref_not_found",
      message: expect.stringContaining('"devlop"'),
      remedy: "Did you mean develop?",
    });
    await expect(resolve("x".repeat(200))).rejects.toMatchObject({ remedy: "It has: develop, main." });
    await expect(resolve("0".repeat(39))).rejects.toMatchObject({
      remedy: expect.stringMatching(/all digits/),
    });
  });

  it("nor is a commit id that the remote lacks", async () => {
    await expect(resolve("1".repeat(40))).rejects.toMatchObject({ code: "ref_not_found" });
  });

  it("nor anything in a repository of 0 commits", async () => {
    const empty = place.repository("empty", {});
    for (const ref of [null, "main"])
      await expect(
        place.source.resolve({ repositoryId, cloneUrl: `file://${empty}`, ref }),
      ).rejects.toMatchObject({
        code: "ref_not_found",
        message: expect.stringMatching(/no commits yet/),
      });
  });

  it("nor a HEAD that names no branch", async () => {
    writeFileSync(join(origin, ".git", "HEAD"), "ref: refs/heads/trunk\n");
    await expect(resolve(null)).rejects.toMatchObject({
      code: "ref_not_found",
      remedy: expect.stringMatching(/main/),
    });
    expect((await resolve("main")).branch).toBe("main");
  });
});

describe("what is refused before git is asked", () => {
  it.each([
    ["ext::sh -c 'touch owned'", "main"],
    ["-u", "main"],
    ["https://a:b@example.test/x", "main"],
    ["https://example.test/x", "--upload-pack=touch owned"],
    ["https://example.test/x", "a\nb"],
  ])("%s %j", async (cloneUrl, ref) => {
    const strict = place.open({ git: "git-must-not-run" });
    await expect(strict.resolve({ repositoryId, cloneUrl, ref })).rejects.toMatchObject({
      code: "source_refused",
    });
  });

  it("local addresses, where they are not allowed", async () => {
    const strict = place.open({ urls: { allowLocal: false, allowHttp: false } });
    for (const cloneUrl of [url, origin])
      await expect(strict.resolve({ repositoryId, cloneUrl, ref: null })).rejects.toMatchObject({
        code: "source_refused",
      });
  });

  it("a protocol that the person's configuration smuggles in: git's own allow-list holds", async () => {
    const marker = join(place.path, "owned");
    place.git(origin, "config", "--global", `url.ext::touch ${marker}; #.insteadOf`, "https://example.test/");
    place.git(origin, "config", "--global", "protocol.ext.allow", "always");
    const asked = place.source.resolve({ repositoryId, cloneUrl: "https://example.test/x", ref: null });
    await expect(asked).rejects.toMatchObject({ code: "source_refused" });
    expect(() => filesOf(marker)).toThrow();
  });
});

describe("the environment that git gets", () => {
  it("has no GIT_* that could point it elsewhere", async () => {
    const hostile = {
      ...place.environment,
      GIT_DIR: "/nowhere",
      GIT_WORK_TREE: "/nowhere",
      GIT_INDEX_FILE: "/nowhere",
      GIT_OBJECT_DIRECTORY: "/nowhere",
      GIT_ALTERNATE_OBJECT_DIRECTORIES: "/nowhere",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "core.bare",
      GIT_CONFIG_VALUE_0: "true",
      GIT_CONFIG_PARAMETERS: "'core.bare'='true'",
      GIT_NAMESPACE: "x",
      GIT_TRACE: "1",
    };
    const source = place.open({ environment: hostile });
    expect((await source.resolve({ repositoryId, cloneUrl: url, ref: "main" })).commit).toBe(head());
    expect((await source.snapshotWorkingTree({ repositoryId, directory: origin })).fileCount).toBe(2);
  });

  it("without the person's configuration does not read it", async () => {
    place.git(origin, "config", "--global", `url.${origin}.insteadOf`, "https://example.test/app");
    const request = { repositoryId, cloneUrl: "https://example.test/app", ref: null };
    expect((await place.source.resolve(request)).commit).toBe(head());
    const none = place.open({ config: "none", limits: { networkMs: 3000 } });
    await expect(none.resolve(request)).rejects.toMatchObject({ code: "source_unavailable" });
  });
});
