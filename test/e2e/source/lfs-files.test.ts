/** Files that Git LFS keeps: fetched in place of their pointers, verified, and no change for the git of the checkout. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mirrorName, type SourceSpec } from "../../../src/domain/index.ts";
import { brandId, Problem, type RepositoryId } from "../../../src/kernel/index.ts";
import { type GitHost, openGitHost } from "../../support/git-server.ts";
import { type LfsHost, makeLfsHost, oidOf, pointerTo } from "../../support/lfs-host.ts";
import { commitAll, filesOf, makePlace, type Place, writeFiles } from "./repositories.ts";

const attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n";
const big = Buffer.alloc(3_000_000, "binary\0content\r\n");
const mine = brandId<RepositoryId>("0198c0de-0000-7000-8000-00000000000a");

let place: Place;
let lfs: LfsHost;
let host: GitHost;
let checkouts = 0;

beforeEach(async () => {
  place = makePlace();
  lfs = makeLfsHost();
  host = await openGitHost({
    root: place.path,
    accounts: [],
    environment: place.environment,
    lfs: lfs.answer,
  });
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const withFiles = (files: Record<string, string | Buffer> = { "a.bin": lfs.add(big) }) => {
  const directory = place.repository("origin", { ".gitattributes": attributes });
  writeFiles(directory, files);
  commitAll(place, directory, "files");
  return directory;
};

const target = () => {
  checkouts += 1;
  return join(place.path, `checkout-${checkouts}`);
};

async function checkout(given: Partial<SourceSpec> = {}, source = place.source) {
  const cloneUrl = given.cloneUrl ?? `${host.url}/origin`;
  const credential = given.credential ?? null;
  const repositoryId = mirrorName(cloneUrl, credential);
  const found = await source.resolve({ repositoryId, cloneUrl, credential, ref: "main" });
  const at = target();
  const spec = { repositoryId, cloneUrl, credential, ...found, submodules: false, lfs: true, ...given };
  const { notes } = await source.checkout(spec, at);
  return { at, notes, spec };
}

const status = (at: string) => place.git(at, "status", "--porcelain");
/** What asks the index alone, without looking at contents first. */
const differs = (at: string) => place.git(at, "diff-index", "HEAD");

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const problem = await work.then(() => null).catch((error: unknown) => Problem.from(error));
  if (problem === null) throw new Error("it was not refused");
  return problem;
}

const below = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe("a repository's address", () => {
  it("gives the files, with their modes; git sees no change, and one that a step makes", async () => {
    const name = 'in/ä [x] "*?\\.bin';
    withFiles({ "a.bin": lfs.add(big), [name]: lfs.add("small") });
    const { at, notes } = await checkout();
    expect(notes).toEqual([]);
    expect(readFileSync(join(at, "a.bin")).equals(big)).toBe(true);
    expect(readFileSync(join(at, name), "utf8")).toBe("small");
    expect([differs(at), status(at), place.git(at, "describe", "--always", "--dirty")]).toEqual([
      "",
      "",
      place.git(at, "rev-parse", "--short", "HEAD"),
    ]);
    const copy = target();
    cpSync(at, copy, { recursive: true });
    expect(status(copy)).toBe("");
    writeFileSync(join(at, "a.bin"), "changed");
    expect(status(at)).toBe("M a.bin");
  });

  it("is asked once for each object, a hundred at a time, a few at once; later checkouts ask for nothing", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 250 }, (_, at) => [`f${at}.bin`, lfs.add(`content ${at}`)]),
    );
    withFiles({ ...files, "again.bin": pointerTo("content 7") });
    const { at } = await checkout();
    expect(lfs.batches).toEqual([100, 100, 50]);
    expect(lfs.downloaded).toHaveLength(250);
    expect(lfs.load.most).toBeGreaterThan(1);
    expect(lfs.load.most).toBeLessThanOrEqual(8);
    expect(readFileSync(join(at, "again.bin"), "utf8")).toBe("content 7");
    expect(differs(at)).toBe("");
    await checkout();
    expect(lfs.batches).toHaveLength(3);
  });

  it.each(["sha1", "sha256"])("gives files that git need not look into again, with %s", async (format) => {
    const directory = join(place.path, "origin");
    place.git(place.path, "init", "--quiet", `--object-format=${format}`, directory);
    const names = Array.from({ length: 50 }, (_, at) => `${"n".repeat(at)}.bin`);
    const files = names.map((name) => [name, lfs.add(name)] as const);
    withFiles({ ...Object.fromEntries(files), plain: "text" });
    const { at } = await checkout();
    const mark = join(place.path, "looked");
    expect(place.git(at, "-c", `filter.lfs.clean=touch '${mark}'; cat`, "status", "--porcelain")).toBe("");
    expect(existsSync(mark)).toBe(false);
    expect(place.git(at, "fsck", "--no-dangling")).toBe("");
    writeFileSync(join(at, ".bin"), "changed");
    expect(status(at)).toBe("M .bin");
  });

  it("keeps what was downloaded and verifies it: damaged bytes are fetched again", async () => {
    withFiles();
    const { spec } = await checkout();
    const [kept = ""] = below(join(place.mirrors, `${spec.repositoryId}.git`, "lfs"));
    const bytes = readFileSync(kept);
    bytes[5] = 0x21;
    writeFileSync(kept, bytes);
    const { at } = await checkout();
    expect(readFileSync(join(at, "a.bin")).equals(big)).toBe(true);
    expect(lfs.downloaded).toHaveLength(2);
    expect(readFileSync(kept).equals(big)).toBe(true);
  });

  it("leaves the pointers without lfs: true, and says how many", async () => {
    withFiles({ "a.bin": lfs.add(big), "b.bin": lfs.add("b"), "c.txt": pointerTo("no attribute") });
    const { at, notes } = await checkout({ lfs: false });
    expect(notes).toEqual([
      "2 files are Git LFS pointers, not the content (lfs: true in the file fetches it)",
    ]);
    expect(readFileSync(join(at, "a.bin"), "utf8")).toBe(pointerTo(big));
    expect(lfs.batches).toEqual([]);
  });

  it("takes malformed pointers and pointers without the attribute for ordinary files", async () => {
    const right = pointerTo("x");
    const files = {
      "extra.bin": `${right}more 1\n`,
      "upper.bin": right.replace(/sha256:.*/, (oid) => oid.toUpperCase()),
      "short.bin": right.replace(/[0-9a-f]\nsize/, "\nsize"),
      "negative.bin": right.replace("size 1", "size -1"),
      "huge.bin": right.replace("size 1", "size 99999999999999999999"),
      "other.bin": right.replace("git-lfs.github.com", "example.test"),
      "empty.bin": "",
      "plain.txt": right,
    };
    withFiles(files);
    const { at } = await checkout();
    expect(filesOf(at)).toMatchObject(
      Object.fromEntries(Object.entries(files).map(([path, text]) => [path, `file ${text}`])),
    );
    expect(lfs.batches).toEqual([]);
  });
});

describe("a server that does not do its part", () => {
  const name = () => JSON.stringify(`${host.url}/origin`);

  it("does not have an object: path and oid are named, and nothing is half there", async () => {
    withFiles({ "a.bin": lfs.add("a"), "in/b.bin": pointerTo("lost") });
    const problem = await refusal(checkout());
    expect(problem).toMatchObject({ code: "source_refused", place: '"in/b.bin"' });
    expect(problem.message).toContain(oidOf("lost"));
    expect(problem.message).toContain("in/b.bin");
    expect(problem.remedy).toBe("Push it: git lfs push --all origin");
  });

  it("has lost the bytes of an object that it named", async () => {
    withFiles();
    lfs.instead.clear();
    const forget = lfs.answer;
    const broken = await openGitHost({
      root: place.path,
      accounts: [],
      environment: place.environment,
      lfs: (request, response) => {
        if (request.url?.startsWith("/lfs-object/") !== true) return forget(request, response);
        response.writeHead(404).end();
        return true;
      },
    });
    await using _ = broken;
    const problem = await refusal(checkout({ cloneUrl: `${broken.url}/origin` }));
    expect(problem).toMatchObject({ code: "source_refused" });
    expect(problem.message).toContain(`does not have the object ${oidOf(big)} of "a.bin"`);
  });

  it.each<[string, Buffer, RegExp]>([
    ["other bytes", Buffer.alloc(big.length, "x"), /their SHA-256 is [0-9a-f]{64}\.$/],
    ["too few bytes", Buffer.from("x"), /1 bytes instead of 3000000\.$/],
    ["too many bytes", Buffer.alloc(big.length + 1, "x"), /more than 3000000 bytes\.$/],
  ])("gives %s: they are not kept", async (_, bytes, message) => {
    withFiles();
    lfs.instead.set(oidOf(big), bytes);
    const problem = await refusal(checkout());
    expect(problem).toMatchObject({ code: "source_refused", place: '"a.bin"' });
    expect(problem.message).toMatch(message);
    expect(below(place.mirrors).filter((file) => /[0-9a-f]{64}$/.test(file))).toEqual([]);
    lfs.instead.clear();
    const { at } = await checkout();
    expect(readFileSync(join(at, "a.bin")).equals(big)).toBe(true);
  });

  it("is told a size that no object has: no byte of it is kept", async () => {
    const content = "tiny";
    lfs.add(content);
    withFiles({ "a.bin": pointerTo(content).replace("size 4", "size 2147483648") });
    expect((await refusal(checkout())).message).toContain("4 bytes instead of 2147483648");
  });

  it.each<[number, string, RegExp]>([
    [503, "source_unavailable", /answers 503 \("not now"\)\.$/],
    [429, "source_unavailable", /answers 429/],
    [404, "source_refused", /^There is no Git LFS server at /],
    [403, "source_unavailable", /wants credentials/],
    [422, "source_refused", /answers 422/],
  ])("answers %i", async (answer, code, message) => {
    withFiles();
    lfs.batchStatus = answer;
    const problem = await refusal(checkout());
    expect(problem).toMatchObject({ code });
    expect(problem.message).toMatch(message);
    expect(problem.message).toContain(name());
  });

  it("is away", async () => {
    withFiles();
    writeFiles(join(place.path, "origin"), { ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/lfs\n" });
    commitAll(place, join(place.path, "origin"), "elsewhere");
    const problem = await refusal(checkout());
    expect(problem).toMatchObject({ code: "source_unavailable" });
    expect(problem.message).toContain("cannot be reached");
    expect(problem.message).toContain("http://127.0.0.1:1/lfs");
  });

  it("hangs up in the middle of an object", async () => {
    withFiles();
    await using broken = await openGitHost({
      root: place.path,
      accounts: [],
      environment: place.environment,
      lfs: (request, response) => {
        if (request.url?.startsWith("/lfs-object/") !== true) return lfs.answer(request, response);
        response.writeHead(200, { "content-length": String(big.length) });
        response.write(big.subarray(0, 1000), () => response.destroy());
        return true;
      },
    });
    const problem = await refusal(checkout({ cloneUrl: `${broken.url}/origin` }));
    expect(problem).toMatchObject({ code: "source_unavailable" });
    expect(below(place.mirrors).filter((file) => /[0-9a-f]{64}$/.test(file))).toEqual([]);
  });
});

describe("credentials", () => {
  const lending = (value = "t0k/en ä") =>
    place.open({
      credentials: {
        directory: join(place.path, "keys"),
        of: async () => ({ name: "GIT_TOKEN", username: "team", value }),
      },
    });

  it("are the repository's own, and are left in no file", async () => {
    withFiles();
    lfs.accounts = ["team:t0k/en ä"];
    const { at } = await checkout({ credential: mine }, lending());
    expect(readFileSync(join(at, "a.bin")).equals(big)).toBe(true);
    expect(new Set(lfs.logins)).toEqual(new Set(["team:t0k/en ä"]));
    expect(below(place.path).filter((file) => readFileSync(file).includes("t0k/en"))).toEqual([]);
  });

  it("that are not accepted are named, not shown", async () => {
    withFiles();
    lfs.accounts = ["team:other"];
    const problem = await refusal(checkout({ credential: mine }, lending()));
    expect(problem).toMatchObject({ code: "source_unavailable" });
    expect(problem.message).toContain("with the secret GIT_TOKEN");
    expect(`${problem.message}${problem.remedy}`).not.toContain("t0k/en");
  });

  it("are asked of the person's helper when the server wants some", async () => {
    withFiles();
    lfs.accounts = ["me:mine"];
    const helper = "!f() { echo username=me; echo password=mine; }; f";
    place.git(place.path, "config", "--global", `credential.${host.url}.helper`, helper);
    await checkout();
    expect(lfs.logins.slice(0, 2)).toEqual([null, "me:mine"]);
  });

  it("are shown neither to the host of the downloads nor to another one that .lfsconfig names", async () => {
    const directory = withFiles();
    const elsewhere = makeLfsHost();
    elsewhere.add(big);
    await using other = await openGitHost({
      root: place.path,
      accounts: [],
      environment: place.environment,
      lfs: elsewhere.answer,
    });
    lfs.accounts = ["team:t0k/en ä"];
    lfs.downloads = other.url;
    await checkout({ credential: mine }, lending());
    expect(elsewhere.logins).toEqual([null]);

    elsewhere.add("more");
    elsewhere.accounts = ["team:t0k/en ä"];
    writeFiles(directory, {
      ".lfsconfig": `[lfs]\n\turl = ${other.url}/elsewhere\n`,
      "b.bin": pointerTo("more"),
    });
    commitAll(place, directory, "elsewhere");
    expect(await refusal(checkout({ credential: mine }, lending()))).toMatchObject({
      code: "source_unavailable",
    });
    expect(elsewhere.logins).toEqual([null, null]);
    elsewhere.accounts = [];
    const { at } = await checkout({ credential: mine }, lending());
    expect(readFileSync(join(at, "b.bin"), "utf8")).toBe("more");
  });
});

describe("a directory of this machine", () => {
  const repositoryId = "0198c0de-0000-7000-8000-00000000000c";
  /** As `git lfs` lays it out. */
  const store = (gitDirectory: string, content: Buffer, bytes = content) => {
    const oid = oidOf(content);
    const file = join(gitDirectory, "lfs", "objects", oid.slice(0, 2), oid.slice(2, 4), oid);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  };
  const clone = () => {
    const at = join(place.path, "clone");
    place.git(place.path, "clone", "--quiet", join(place.path, "origin"), at);
    place.git(at, "remote", "set-url", "origin", `${host.url}/origin`);
    return at;
  };
  const run = async (directory: string, ref: string | null = null) => {
    const found =
      ref === null
        ? await place.source.snapshotWorkingTree({ repositoryId, directory })
        : await place.source.snapshotCommit({ repositoryId, directory, ref });
    const at = target();
    const spec = { repositoryId, cloneUrl: directory, ...found, submodules: false, lfs: true };
    await place.source.checkout(spec, at);
    return { at, found };
  };

  it("with pointers takes the objects that lie there, and asks the remote for the others", async () => {
    withFiles({ "a.bin": lfs.add(big), "b.bin": lfs.add("b") });
    const at = clone();
    store(join(at, ".git"), big);
    const taken = await run(at);
    expect(taken.found.dirty).toBe(false);
    expect(readFileSync(join(taken.at, "a.bin")).equals(big)).toBe(true);
    expect(readFileSync(join(taken.at, "b.bin"), "utf8")).toBe("b");
    expect(lfs.downloaded).toEqual([oidOf("b")]);
    expect([differs(taken.at), status(taken.at)]).toEqual(["", ""]);
  });

  it("with changes is taken as it lies; the LFS files are no change of the step's", async () => {
    withFiles({ "a.bin": lfs.add(big), "in/[b] *.bin": lfs.add("b") });
    const at = clone();
    writeFiles(at, { more: "m" });
    const { at: there } = await run(at);
    expect(readFileSync(join(there, "in/[b] *.bin"), "utf8")).toBe("b");
    expect(status(there)).toBe("A  more");
    writeFileSync(join(there, "in/[b] *.bin"), "c");
    expect(status(there)).toContain('M "in/[b] *.bin"');
  });

  it("passes over a damaged object in its store", async () => {
    withFiles();
    const at = clone();
    store(join(at, ".git"), big, Buffer.alloc(big.length, "x"));
    const taken = await run(at, "main");
    expect(readFileSync(join(taken.at, "a.bin")).equals(big)).toBe(true);
    expect(lfs.downloaded).toEqual([oidOf(big)]);
  });

  it("is a bare repository, or a clone of a local one", async () => {
    const origin = withFiles();
    const bare = join(place.path, "bare.git");
    place.git(place.path, "clone", "--quiet", "--bare", origin, bare);
    store(bare, big);
    expect(readFileSync(join((await run(bare, "main")).at, "a.bin")).equals(big)).toBe(true);
    const at = join(place.path, "second");
    place.git(place.path, "clone", "--quiet", bare, at);
    const second = await run(at);
    expect(readFileSync(join(second.at, "a.bin")).equals(big)).toBe(true);
    expect(lfs.batches).toEqual([]);
  });

  it("has contents already: they are taken as they lie, and nothing is fetched", async () => {
    withFiles();
    const at = clone();
    writeFileSync(join(at, "a.bin"), big);
    const taken = await run(at);
    expect(readFileSync(join(taken.at, "a.bin")).equals(big)).toBe(true);
    expect(lfs.batches).toEqual([]);
  });

  it("has no remote and not the object: both are said", async () => {
    const origin = withFiles();
    const problem = await refusal(run(origin));
    expect(problem).toMatchObject({
      code: "source_refused",
      remedy: expect.stringContaining("git lfs fetch"),
    });
    expect(problem.message).toContain(`${oidOf(big)} of "a.bin"`);
    rmSync(origin, { recursive: true });
  });
});
