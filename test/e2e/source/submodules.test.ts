/** Submodules of a person's directory: taken as they lie there, fetched where they were never initialised. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitAll, filesOf, gitBytes, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let directory: string;
let checkouts = 0;

const repositoryId = "0198c0de-0000-7000-8000-000000000009";
const snapshot = (at = directory) => place.source.snapshotWorkingTree({ repositoryId, directory: at });

function addSubmodule(at: string, url: string, path: string): void {
  place.git(at, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, path);
}

async function checkout(
  taken: { readonly commit: string | null; readonly tree: string },
  cloneUrl = directory,
) {
  checkouts += 1;
  const target = join(place.path, `checkout-${checkouts}`);
  await place.source.checkout({ repositoryId, cloneUrl, ...taken, submodules: true }, target);
  return target;
}

const files = (at: string) =>
  Object.fromEntries(Object.entries(filesOf(at)).filter(([path]) => !/(^|\/)\.git(\/|$)/.test(path)));
const status = (at: string) => place.git(at, "status", "--porcelain");

beforeEach(() => {
  place = makePlace();
  place.repository("library", { "lib.c": "1\n" });
  directory = place.repository("app", { a: "a\n" });
  addSubmodule(directory, "../library", "vendor/lib");
  commitAll(place, directory, "submodule");
});
afterEach(() => place[Symbol.asyncDispose]());

describe("a submodule that was never initialised", () => {
  const clone = (...options: string[]) => {
    const at = join(place.path, "elsewhere", "clone");
    place.git(place.path, "clone", "--quiet", ...options, `file://${directory}`, at);
    return at;
  };

  it("is no difference; a checkout fetches it from beside the remote, and is clean", async () => {
    const at = clone();
    const taken = await snapshot(at);
    expect(taken).toMatchObject({
      dirty: false,
      tree: place.git(at, "rev-parse", "HEAD^{tree}"),
      submodules: true,
    });
    const target = await checkout(taken, at);
    expect(filesOf(join(target, "vendor/lib"))["lib.c"]).toBe("file 1\n");
    expect(status(target)).toBe("");
    expect(place.git(join(target, "vendor/lib"), "config", "remote.origin.url")).toBe(
      `file://${place.path}/library`,
    );
  });

  it("is found by the branch's own remote, and by the only one", async () => {
    const at = clone("--origin", "upstream");
    place.git(at, "config", "--unset", "branch.main.remote");
    expect(existsSync(join(await checkout(await snapshot(at), at), "vendor/lib/lib.c"))).toBe(true);
    place.git(at, "remote", "add", "origin", "https://nowhere.invalid/app");
    place.git(at, "config", "branch.main.remote", "upstream");
    expect(existsSync(join(await checkout(await snapshot(at), at), "vendor/lib/lib.c"))).toBe(true);
  });

  it("is fetched for a commit too", async () => {
    const at = clone();
    const taken = await place.source.snapshotCommit({ repositoryId, directory: at, ref: "main" });
    const target = await checkout(taken, at);
    expect(filesOf(join(target, "vendor/lib"))["lib.c"]).toBe("file 1\n");
    expect(status(target)).toBe("");
  });

  it("is fetched inside of a directory that is run by itself", async () => {
    const at = clone();
    const taken = await snapshot(join(at, "vendor"));
    expect(taken).toMatchObject({ subpath: "vendor", dirty: false });
    expect(filesOf(join(await checkout(taken, at), "lib"))["lib.c"]).toBe("file 1\n");
  });

  it("is not asked for with the password of the remote's address", async () => {
    const at = clone();
    place.git(at, "remote", "set-url", "origin", "https://me:hunter2@nowhere.invalid/team/app");
    const failed = await checkout(await snapshot(at), at).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      message: expect.stringContaining("https://nowhere.invalid/team/library"),
    });
    expect(String(failed)).not.toContain("hunter2");
  });

  it("and whose directory was removed is not there", async () => {
    const at = clone();
    rmSync(join(at, "vendor"), { recursive: true });
    const taken = await snapshot(at);
    expect(taken.dirty).toBe(true);
    expect(Object.keys(files(await checkout(taken, at))).sort()).toEqual([".gitmodules", "a"]);
  });
});

describe("a submodule that is checked out", () => {
  it("is taken from where it lies, without its remote, and nothing in it is written", async () => {
    const before = gitBytes(directory);
    const taken = await snapshot();
    expect(taken).toMatchObject({ dirty: false, tree: place.git(directory, "rev-parse", "HEAD^{tree}") });
    expect(gitBytes(directory)).toEqual(before);
    rmSync(join(place.path, "library"), { recursive: true });
    const target = await checkout(taken);
    expect(files(target)).toEqual(files(directory));
    expect(status(target)).toBe("");
  });

  it("is taken with its uncommitted changes, and makes the run dirty", async () => {
    const lib = join(directory, "vendor/lib");
    writeFiles(lib, { "lib.c": "changed\n", "new.c": "new\n", ".gitignore": "*.o\n", "x.o": "x" });
    const taken = await snapshot();
    expect(taken.dirty).toBe(true);
    expect((await snapshot()).tree).toBe(taken.tree);
    const target = await checkout(taken);
    rmSync(join(lib, "x.o"));
    expect(files(target)).toEqual(files(directory));
    const inStep = join(target, "vendor/lib");
    expect(place.git(inStep, "rev-parse", "HEAD")).toBe(place.git(lib, "rev-parse", "HEAD"));
    expect(place.git(inStep, "diff", "--name-only", "HEAD").split("\n")).toEqual([
      ".gitignore",
      "lib.c",
      "new.c",
    ]);
    expect(place.git(target, "describe", "--always", "--dirty")).toMatch(/-dirty$/);

    place.git(lib, "checkout", "--quiet", ".");
    place.git(lib, "clean", "-fdq");
    expect(await snapshot()).toMatchObject({ dirty: false });
  });

  it("is taken with a commit that nobody else has", async () => {
    const lib = join(directory, "vendor/lib");
    writeFiles(lib, { "lib.c": "2\n" });
    const commit = commitAll(place, lib, "not pushed");
    const taken = await snapshot();
    expect(taken.dirty).toBe(true);
    const target = await checkout(taken);
    expect(files(target)).toEqual(files(directory));
    expect(place.git(join(target, "vendor/lib"), "rev-parse", "HEAD")).toBe(commit);
  });

  it("is taken with the changes of a submodule inside it", async () => {
    place.repository("inner", { "inner.c": "i\n" });
    const lib = join(directory, "vendor/lib");
    addSubmodule(lib, join(place.path, "inner"), "in");
    commitAll(place, lib, "nested");
    commitAll(place, directory, "newer");
    expect(await snapshot()).toMatchObject({ dirty: false });
    writeFiles(lib, { "in/inner.c": "changed\n" });
    const taken = await snapshot();
    expect(taken.dirty).toBe(true);
    expect(files(await checkout(taken))).toEqual(files(directory));
  });

  it("and cannot be read is named", async () => {
    renameSync(join(directory, ".git/modules"), join(directory, ".git/gone"));
    await expect(snapshot()).rejects.toMatchObject({
      code: "source_refused",
      message: expect.stringContaining(join(directory, "vendor/lib/.git")),
    });
  });

  it("and gave way to a file travels as that file, and comes back as a submodule", async () => {
    rmSync(join(directory, "vendor/lib"), { recursive: true });
    writeFileSync(join(directory, "vendor/lib"), "a file\n");
    const taken = await snapshot();
    expect(taken.dirty).toBe(true);
    expect(files(await checkout(taken))).toMatchObject({ "vendor/lib": "file a file\n" });
    rmSync(join(directory, "vendor/lib"));
    mkdirSync(join(directory, "vendor/lib"));
    expect(await snapshot()).toMatchObject({ dirty: false });
  });
});

describe("a link without an address in .gitmodules", () => {
  it("is an error of a checkout that asks for submodules", async () => {
    rmSync(join(directory, ".gitmodules"));
    commitAll(place, directory, "no address");
    const cloneUrl = `file://${directory}`;
    const found = await place.source.resolve({ repositoryId, cloneUrl, ref: "main" });
    await expect(checkout(found, cloneUrl)).rejects.toMatchObject({
      code: "source_refused",
      message: expect.stringMatching(/"vendor\/lib" has no address in \.gitmodules/),
    });
  });

  it("is said, and stays empty, where git does not track the repository", async () => {
    place.repository("app/nested", { n: "n\n" });
    const taken = await snapshot();
    expect(taken.nested).toEqual(["nested"]);
    const target = join(place.path, "target");
    const spec = { repositoryId, cloneUrl: directory, ...taken, submodules: true };
    const { notes } = await place.source.checkout(spec, target);
    expect(notes).toContainEqual(expect.stringMatching(/"nested" .* not track/));
    expect(readdirSync(join(target, "nested"))).toEqual([]);
    expect(readdirSync(join(target, "vendor/lib"))).toContain("lib.c");
  });
});
