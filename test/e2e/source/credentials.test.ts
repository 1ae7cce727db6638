/** A repository's own credential: lent to git for one call, to its own host alone, and left nowhere. */
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mirrorName } from "../../../src/domain/index.ts";
import { brandId, Problem, type RepositoryId } from "../../../src/kernel/index.ts";
import type { CloneCredential, Source } from "../../../src/source/index.ts";
import { type GitHost, openGitHost } from "../../support/git-server.ts";
import { commitAll, filesOf, makePlace, type Place } from "./repositories.ts";

const mine = brandId<RepositoryId>("0198c0de-0000-7000-8000-00000000000a");
const other = brandId<RepositoryId>("0198c0de-0000-7000-8000-00000000000b");
const login: CloneCredential = { name: "GIT_TOKEN", username: "team", value: "t0k/en +ä\"'$x" };

let place: Place;
let accounts: string[];
let host: GitHost;
let given: Record<string, CloneCredential>;
let source: Source;
let keys: string;
beforeEach(async () => {
  place = makePlace();
  accounts = [`${login.username}:${login.value}`];
  host = await openGitHost({ root: place.path, accounts, environment: place.environment });
  place.repository("origin", { a: "1\n" });
  given = { [mine]: login };
  keys = join(place.path, "data", "keys");
  source = lending();
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const lending = (environment = place.environment) =>
  place.open({
    environment,
    credentials: {
      directory: keys,
      of: async (id) => given[id] ?? Promise.reject(new Problem("source_unavailable", "none")),
    },
  });

const request = (url: string, credential: RepositoryId | null = mine) => ({
  repositoryId: mirrorName(url, credential),
  cloneUrl: url,
  credential,
  ref: "main",
});

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const problem = await work.then(() => null).catch((error: unknown) => Problem.from(error));
  if (problem === null) throw new Error("it was not refused");
  return problem;
}

/** Files below the place that hold the text. */
const holding = (text: string) =>
  readdirSync(place.path, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(text),
  );

describe("over http", () => {
  it("opens what is closed, and is left in no file, no message and no checkout", async () => {
    const url = `${host.url}/origin`;
    const found = await source.resolve(request(url));
    expect(found.branch).toBe("main");
    const target = join(place.path, "target");
    const spec = { repositoryId: "elsewhere", cloneUrl: url, credential: mine, submodules: false, ...found };
    await source.checkout(spec, target);
    expect(filesOf(target)).toMatchObject({ a: "file 1\n" });
    expect(place.git(target, "remote", "get-url", "origin")).toBe(url);
    expect(holding(login.value)).toEqual([]);
    expect(host.asked.some((one) => one.login === accounts[0])).toBe(true);
  });

  it("is not asked of the person's helpers, nor of a prompt, when it is refused", async () => {
    const marker = join(place.path, "helper-was-asked");
    const helper = `!f() { touch '${marker}'; echo username=team; echo password=${login.value}; }; f`;
    place.git(place.path, "config", "--global", "credential.helper", helper);
    given[mine] = { ...login, value: "an old one" };
    const problem = await refusal(source.resolve(request(`${host.url}/origin`)));
    expect(problem).toMatchObject({ code: "source_unavailable" });
    expect(problem.message).toContain("with the secret GIT_TOKEN");
    expect(`${problem.message}${problem.remedy}${JSON.stringify(problem.details)}`).not.toContain(
      "an old one",
    );
    expect(existsSync(marker)).toBe(false);
    expect(host.asked.map((one) => one.login)).toContain("team:an old one");
  });

  it("is not needed by, and not lent to, a repository without one", async () => {
    const problem = await refusal(source.resolve(request(`${host.url}/origin`, null)));
    expect(problem.remedy).toContain("clone credential");
    expect(host.asked.every((one) => one.login === null)).toBe(true);
  });

  it("opens nothing for another repository, whose mirror is another one", async () => {
    const url = `${host.url}/origin`;
    const { commit } = await source.resolve(request(url));
    given[other] = { ...login, value: "not this one" };
    for (const credential of [other, null])
      await refusal(source.resolve({ ...request(url, credential), sha: commit }));
  });

  it("opens submodules on its own host and is shown to no other", async () => {
    await using elsewhere = await openGitHost({
      root: place.path,
      accounts: ["somebody:else"],
      environment: place.environment,
    });
    place.repository("inner", { b: "2\n" });
    const within = place.repository("within", { "README.md": "with\n" });
    const across = place.repository("across", { "README.md": "with\n" });
    for (const [directory, url] of [
      [within, `${host.url}/inner`],
      [across, `${elsewhere.url}/inner`],
    ] as const) {
      place.git(
        directory,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        join(place.path, "inner"),
        "inner",
      );
      place.git(directory, "config", "-f", ".gitmodules", "submodule.inner.url", url);
      commitAll(place, directory, "with a submodule");
    }
    const checkOut = async (name: string) => {
      const url = `${host.url}/${name}`;
      const found = await source.resolve(request(url));
      const spec = { repositoryId: mirrorName(url, mine), cloneUrl: url, credential: mine, submodules: true };
      await source.checkout({ ...spec, ...found }, join(place.path, `target-${name}`));
    };
    await checkOut("within");
    expect(filesOf(join(place.path, "target-within"))).toMatchObject({ "inner/b": "file 2\n" });
    await refusal(checkOut("across"));
    expect(elsewhere.asked.length).toBeGreaterThan(0);
    expect(elsewhere.asked.every((one) => one.login === null)).toBe(true);
    // What was fetched with it is nobody else's, submodules as well: the shared mirror would be another one.
    expect(readdirSync(join(place.mirrors, "submodules"))).toContain(
      `${mirrorName(`${host.url}/inner`, mine)}.git`,
    );
  });

  it.each(["http://127.0.0.1/", "ssh://git@localhost/"])(
    "must be what an address takes: %s",
    async (address) => {
      given[mine] = { ...login, value: "no key\nand two lines" };
      const problem = await refusal(source.resolve(request(`${address}origin`)));
      expect([problem.code, problem.message]).toEqual([
        "source_refused",
        expect.stringContaining("The secret GIT_TOKEN"),
      ]);
      expect(problem.message).not.toContain('two lines"');
    },
  );
});

describe("over ssh", () => {
  /** Stands for ssh, for a machine without a server of it: notes how it was called, and serves from this machine. */
  function standIn(): Record<string, string> {
    const path = join(place.path, "ssh it");
    writeFileSync(
      path,
      `#!/bin/sh
for argument; do printf '%s\\n' "$argument"; done >'${place.path}/asked'
while [ "$1" != -i ]; do shift; done
cp "$2" '${place.path}/seen'; stat -c %a "$2" >'${place.path}/mode'
for command; do :; done
cd '${place.path}' && exec sh -c "$command"
`,
    );
    chmodSync(path, 0o755);
    return { ...place.environment, GIT_SSH: path, GIT_SSH_VARIANT: "ssh" };
  }

  const url = () => `ssh://git@host.test${place.path}/origin`;

  it("is a key in a private file while git uses it, and the only one that is offered", async () => {
    const { privateKey: key } = generateKeyPairSync("ed25519", {
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    given[mine] = { name: "DEPLOY_KEY", username: "git", value: key.trimEnd().replace(/\n/g, "\r\n") };
    const found = await lending(standIn()).resolve(request(url()));
    expect(found.branch).toBe("main");
    expect(readFileSync(join(place.path, "seen"), "utf8")).toBe(key);
    expect(readFileSync(join(place.path, "mode"), "utf8")).toBe("600\n");
    const asked = readFileSync(join(place.path, "asked"), "utf8");
    for (const option of ["IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes"])
      expect(asked).toContain(option);
    expect(readdirSync(keys)).toEqual([]);
  });

  it("leaves no key when git fails, and removes what a killed process left", async () => {
    given[mine] = { name: "DEPLOY_KEY", username: "git", value: "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n" };
    const opened = lending(standIn());
    await refusal(opened.resolve(request(`ssh://git@host.test${place.path}/nothing`)));
    expect(readdirSync(keys)).toEqual([]);
    writeFileSync(join(keys, "left"), "of long ago");
    const longAgo = new Date(Date.now() - 2 * 3600_000);
    utimesSync(join(keys, "left"), longAgo, longAgo);
    await opened.resolve(request(url()));
    expect(readdirSync(keys)).toEqual([]);
  });
});
