import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { brandId, type RepositoryId } from "../../../src/kernel/index.ts";
import { commitAll, makePlace, type Place, writeFiles } from "./repositories.ts";

const repositoryId = "0198c0de-0000-7000-8000-000000000009";
const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
const oid = createHash("sha256").update(content).digest("hex");
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`;

let place: Place;
let origin: string;
let server: Server;
let address: string;
let served: Buffer;
let asked: (string | undefined)[];

beforeEach(async () => {
  place = makePlace();
  origin = place.repository("origin", {
    ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "data/x.bin": pointer,
    plain: pointer.slice(0, 60),
  });
  served = content;
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    if (request.url === "/content") return void response.end(served);
    if (request.headers.authorization === undefined) return void response.writeHead(401).end();
    const actions = { download: { href: `${address}/content`, header: { authorization: "token" } } };
    response.end(JSON.stringify({ objects: [{ oid, size: content.length, actions }] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await place[Symbol.asyncDispose]();
});

async function checkout(
  options: { readonly lfs: boolean; readonly credential?: RepositoryId },
  source = place.source,
) {
  const found = await source.resolve({ repositoryId, cloneUrl: `file://${origin}`, ref: null });
  const target = join(place.path, "target");
  // What is known of the commit is in the mirror: the address is asked for its LFS files alone.
  const cloneUrl = options.credential === undefined ? `file://${origin}` : `${address}/team/app`;
  const { commit, tree } = found;
  await source.checkout({ repositoryId, cloneUrl, commit, tree, submodules: false, ...options }, target);
  return { target, file: readFileSync(join(target, "data/x.bin")), found };
}

it("files stay pointers where nobody asks, and are counted", async () => {
  const { file, found } = await checkout({ lfs: false });
  expect(file.toString()).toBe(pointer);
  expect(await place.source.countPointers({ repositoryId, tree: found.tree })).toBe(1);
});

it("files come from the repository's server with its credential, and git sees a clean tree", async () => {
  const credential = brandId<RepositoryId>("0198c0de-0000-7000-8000-00000000000a");
  const directory = join(place.path, "keys");
  const credentials = { of: async () => ({ name: "TOKEN", username: "u", value: "p" }), directory };
  const { file, target } = await checkout({ lfs: true, credential }, place.open({ credentials }));
  expect(file.equals(content)).toBe(true);
  expect(asked).toEqual([`Basic ${Buffer.from("u:p").toString("base64")}`, "token"]);
  expect(place.git(target, "status", "--porcelain")).toBe("");
});

it("files of a clone on this machine come from its own store", async () => {
  const store = join(origin, ".git", "lfs", "objects", oid.slice(0, 2), oid.slice(2, 4));
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, oid), content);
  expect((await checkout({ lfs: true })).file.equals(content)).toBe(true);
  expect(asked).toEqual([]);
});

it("files that a clone lacks come from its remote, as the person's git logs in there", async () => {
  place.git(origin, "remote", "add", "origin", `${address}/team/app.git`);
  place.git(origin, "config", "--global", "credential.helper", "!printf 'username=me\\npassword=mine\\n'; :");
  expect((await checkout({ lfs: true })).file.equals(content)).toBe(true);
  expect(asked).toEqual([undefined, `Basic ${Buffer.from("me:mine").toString("base64")}`, "token"]);
});

it("a repository without a server says where to name one", async () => {
  await expect(checkout({ lfs: true })).rejects.toMatchObject({ remedy: expect.stringMatching(/lfs\.url/) });
});

it("wrong bytes are refused", async () => {
  writeFiles(origin, { ".lfsconfig": `[lfs]\n\turl = ${address}/lfs\n` });
  commitAll(place, origin, "server");
  place.git(origin, "config", "--global", "credential.helper", "!printf 'username=me\\npassword=mine\\n'; :");
  served = Buffer.from("other");
  await expect(checkout({ lfs: true })).rejects.toMatchObject({
    message: expect.stringMatching(/other bytes/),
  });
});
