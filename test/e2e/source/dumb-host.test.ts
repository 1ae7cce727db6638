/** A host of plain files: git reads `info/refs` and fetches single objects, which lie loose. */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitAll, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let origin: string;
let url: string;
const host = createServer((request, response) => {
  try {
    response.end(readFileSync(join(place.path, new URL(request.url ?? "", "http://host").pathname)));
  } catch {
    response.writeHead(404).end();
  }
});

beforeEach(async () => {
  place = makePlace();
  origin = place.repository("origin", { a: "1\n", "dir/b": "b\n" });
  place.git(origin, "tag", "-a", "-m", "x", "v1.0");
  commit("2");
  host.listen(0, "127.0.0.1");
  await once(host, "listening");
  url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/origin/.git`;
});
afterEach(async () => {
  host.close();
  host.closeAllConnections();
  await once(host, "close");
  await place[Symbol.asyncDispose]();
});

const repositoryId = "0198c0de-0000-7000-8000-00000000000d";

function commit(content: string): void {
  writeFiles(origin, { a: `${content}\n` });
  commitAll(place, origin, content);
  place.git(origin, "update-server-info");
}

async function checkedOut(name: string, links?: string) {
  const found = await place.source.resolve({ repositoryId, cloneUrl: url, ref: "main" });
  const target = join(place.path, name);
  const spec = { repositoryId, cloneUrl: url, ...found, submodules: false };
  await place.source.checkout(spec, target, links === undefined ? {} : { links });
  return (...args: string[]) => place.git(target, ...args);
}

describe("a checkout from a host of plain files", () => {
  it.each([
    { there: "loose", subjects: ["2", "first"] },
    { there: "packed", subjects: ["3", "2", "first"] },
  ])("has the history for steps of another account; $there there", async ({ there, subjects }) => {
    if (there === "packed") {
      place.git(origin, "repack", "-a", "-d", "-q");
      commit("3");
    }
    const git = await checkedOut("target", join(place.path, "links"));
    expect(git("log", "--format=%s").split("\n")).toEqual(subjects);
    expect(git("describe")).toMatch(new RegExp(`^v1\\.0-${subjects.length - 1}-g`));
    expect(git("fsck", "--no-dangling")).toBe("");
  });

  it("follows new commits", async () => {
    await checkedOut("before", join(place.path, "links"));
    commit("3");
    const git = await checkedOut("after", join(place.path, "more"));
    expect(git("log", "--format=%s").split("\n")).toEqual(["3", "2", "first"]);
    expect(git("describe")).toMatch(/^v1\.0-2-g/);
    const mirror = readdirSync(join(place.mirrors, `${repositoryId}.git`, "objects"));
    expect(mirror.filter((folder) => /^[0-9a-f]{2}$/.test(folder))).toEqual([]);
  });
});
