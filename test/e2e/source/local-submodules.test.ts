/** Submodules with addresses on the server's machine, where such addresses are not allowed. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Source } from "../../../src/source/index.ts";
import { commitAll, filesOf, gitInput, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let source: Source;
let app: string;
let checkouts = 0;

const repositoryId = "0198c0de-0000-7000-8000-00000000000e";
const addSubmodule = (at: string, url: string, path: string) =>
  place.git(at, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, path);
const initialize = () =>
  place.git(
    app,
    "-c",
    "protocol.file.allow=always",
    "submodule",
    "--quiet",
    "update",
    "--init",
    "--recursive",
  );

/** As the run of a registered directory does. */
async function built(directory: string): Promise<string> {
  const taken = await source.snapshotCommit({ repositoryId, directory, ref: "HEAD" });
  const target = join(place.path, `checkout-${++checkouts}`);
  await source.checkout({ repositoryId, cloneUrl: directory, ...taken, submodules: true }, target);
  return target;
}

/** Commits what somebody may push: an address and a name of their choice, and the id of a commit that is elsewhere. */
function pushLink(at: string, { name, url, commit }: Record<"name" | "url" | "commit", string>): void {
  writeFiles(at, { ".gitmodules": `[submodule "${name}"]\n\tpath = link\n\turl = ${url}\n` });
  place.git(at, "add", ".gitmodules");
  gitInput(place, at, ["update-index", "--index-info"], `160000 ${commit}\tlink\n`);
  place.git(at, "commit", "--quiet", "--message", "a link");
}

beforeEach(() => {
  place = makePlace();
  source = place.open({ urls: { allowLocal: false, allowHttp: true } });
  place.repository("inner", { "inner.c": "i\n" });
  addSubmodule(place.repository("library", { "lib.c": "1\n" }), "../inner", "in");
  commitAll(place, join(place.path, "library"), "nested");
  app = place.repository("app", { a: "a\n" });
});
afterEach(() => place[Symbol.asyncDispose]());

describe("submodules of a directory", () => {
  it.each(["../library", "absolute"])("that are initialised in it are there; address %s", async (address) => {
    addSubmodule(app, address === "absolute" ? join(place.path, "library") : address, "vendor/lib");
    initialize();
    commitAll(place, app, "submodule");
    const target = await built(app);
    expect(filesOf(join(target, "vendor/lib"))).toMatchObject({
      "lib.c": "file 1\n",
      "in/inner.c": "file i\n",
    });
    expect(place.git(join(target, "vendor/lib"), "log", "--format=%s")).toBe("nested\nfirst");
    expect(place.git(target, "status", "--porcelain")).toBe("");
  });

  it("that are not initialised are refused, and the error says what to do", async () => {
    addSubmodule(app, "../library", "vendor/lib");
    commitAll(place, app, "submodule");
    // One that is a step behind is as good as none.
    writeFiles(join(place.path, "library"), { "lib.c": "2\n" });
    const commit = commitAll(place, join(place.path, "library"), "newer");
    gitInput(place, app, ["update-index", "--index-info"], `160000 ${commit}\tvendor/lib\n`);
    place.git(app, "commit", "--quiet", "--message", "newer");
    await expect(built(app)).rejects.toMatchObject({
      code: "source_refused",
      message: `The submodule "vendor/lib" of "${app}" is at "${place.path}/library", a path on the server's machine, and its commit is not initialised in that repository.`,
      remedy: expect.stringMatching(
        /submodule update --init --recursive.*SHIPINATOR_GIT_ALLOW_FILE_URLS=true/,
      ),
      place: "vendor/lib",
    });
    initialize();
    expect(filesOf(join(await built(app), "vendor/lib"))).toMatchObject({ "lib.c": "file 2\n" });
  });

  it("cannot be made of another repository by what is pushed", async () => {
    const secret = place.repository("secret", { key: "hidden\n" });
    const commit = place.git(secret, "rev-parse", "HEAD");
    addSubmodule(secret, "../inner", "in");
    addSubmodule(app, "../library", "vendor/lib");
    commitAll(place, app, "submodule");
    const bare = join(place.path, "bare.git");
    for (const [name, url] of [
      ["link", "../secret"],
      ["link", secret],
      ["link", `file://${secret}`],
      // Where git keeps the repository of a submodule, counted from there.
      ["../../../secret/.git", "../secret"],
      ["vendor/lib", "../secret"],
    ] as const) {
      pushLink(app, { name, url, commit });
      place.git(place.path, "clone", "--quiet", "--bare", app, bare);
      for (const directory of [app, bare])
        await expect(built(directory), `${name} at ${url}`).rejects.toMatchObject({
          code: "source_refused",
          place: "link",
        });
      rmSync(bare, { recursive: true });
    }
  });
});
