/** Where a Git LFS server may send this one for its files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mirrorName } from "../../../src/domain/index.ts";
import { type GitHost, openGitHost } from "../../support/git-server.ts";
import { type LfsHost, makeLfsHost } from "../../support/lfs-host.ts";
import { makePlace, type Place } from "./repositories.ts";

let place: Place;
let lfs: LfsHost;
let host: GitHost;

/** An address of the internet that nobody has: git and LFS are sent to the host of the test. */
const internet = "https://203.0.113.5";

beforeEach(async () => {
  place = makePlace();
  lfs = makeLfsHost();
  const { environment, path } = place;
  host = await openGitHost({ root: path, accounts: [], environment, lfs: lfs.answer });
  place.git(path, "config", "--global", `url.${host.url}/.insteadOf`, `${internet}/`);
  place.repository("origin", { ".gitattributes": "*.bin filter=lfs\n", "a.bin": lfs.add("content") });
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

async function checkout(address: string): Promise<string> {
  const cloneUrl = `${address}/origin`;
  const repositoryId = mirrorName(cloneUrl, null);
  const found = await place.source.resolve({ repositoryId, cloneUrl, ref: "main" });
  const target = join(place.path, "target");
  await place.source.checkout({ repositoryId, cloneUrl, ...found, submodules: false, lfs: true }, target);
  return readFileSync(join(target, "a.bin"), "utf8");
}

describe("a server of the internet", () => {
  it.each(["127.0.0.2", "[::1]", "10.1.2.3", "169.254.169.254"])("cannot send to %s", async (name) => {
    lfs.downloads = `http://${name}:${new URL(host.url).port}`;
    await expect(checkout(internet)).rejects.toMatchObject({
      code: "source_refused",
      message: expect.stringContaining(`names an address in a private network: "http://${name}:`),
    });
    expect(lfs.downloaded).toEqual([]);
  });

  it("gives the files itself", async () => {
    expect(await checkout(internet)).toBe("content");
  });
});

it("a server in a private network can send to another host there", async () => {
  lfs.downloads = `http://localhost:${new URL(host.url).port}`;
  expect(await checkout(host.url)).toBe("content");
});
