/** Private repositories where they really lie: on a forge, and behind an ssh server. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { mirrorName } from "../../../src/domain/index.ts";
import { brandId, type RepositoryId } from "../../../src/kernel/index.ts";
import type { CloneCredential } from "../../../src/source/index.ts";
import { closedPort } from "../../e2e/artifacts/support/registry-double.ts";
import { filesOf, makePlace, type Place } from "../../e2e/source/repositories.ts";
import { eventually } from "../../support/eventually.ts";
import { onPath, withoutForge } from "../support/needs.ts";

const mine = brandId<RepositoryId>("0198c0de-0000-7000-8000-00000000000a");

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place[Symbol.asyncDispose]());

function opened(credential: CloneCredential, environment: Record<string, string> = place.environment) {
  const credentials = { directory: join(place.path, "keys"), of: async () => credential };
  return place.open({ environment, credentials });
}

const request = (cloneUrl: string) => ({
  repositoryId: mirrorName(cloneUrl, mine),
  cloneUrl,
  credential: mine,
  ref: null,
});

const noForge = withoutForge();
describe("a forge", () => {
  beforeEach((context) => {
    if (noForge !== null) context.skip(noForge);
  });

  const {
    FORGE_URL: forge = "",
    FORGE_USER: user = "",
    FORGE_PASSWORD,
    FORGE_TOKEN: token = "",
  } = process.env;

  async function ask(method: string, path: string, body?: unknown) {
    const response = await fetch(`${forge}/api/v1${path}`, {
      method,
      headers: { authorization: `token ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${response.status} of ${path}: ${await response.text()}`);
  }

  /** Its address. */
  async function privateRepository(): Promise<string> {
    const name = `private-${crypto.randomUUID()}`;
    await ask("POST", "/user/repos", { name, private: true, auto_init: true, default_branch: "main" });
    onTestFinished(() => ask("DELETE", `/repos/${user}/${name}`));
    return `${forge}/${user}/${name}.git`;
  }

  it("gives it to a token, with the name that goes with tokens there, and to user and password", async () => {
    const url = await privateRepository();
    for (const [username, value] of [
      ["git", token],
      [user, FORGE_PASSWORD ?? token],
    ] as const) {
      const source = opened({ name: "FORGE", username, value });
      const found = await source.resolve(request(url));
      expect(found).toMatchObject({ branch: "main", defaultBranch: "main" });
      const target = join(place.path, `target of ${username}`);
      const { repositoryId } = request(url);
      await source.checkout(
        { repositoryId, cloneUrl: url, credential: mine, submodules: false, ...found },
        target,
      );
      expect(Object.keys(filesOf(target))).toContain("README.md");
    }
  });

  it("does not give it to another token, and the message says what was given", async () => {
    const url = await privateRepository();
    const source = opened({ name: "FORGE", username: "git", value: "0".repeat(40) });
    await expect(source.resolve(request(url))).rejects.toMatchObject({
      code: "source_unavailable",
      message: expect.stringContaining("with the secret FORGE"),
    });
  });
});

const noSshd = ["sshd", "ssh", "ssh-keygen"].find((tool) => !onPath(tool)) ?? null;
describe("an ssh server", () => {
  beforeEach((context) => {
    context.skip(noSshd !== null, `${noSshd} is not on PATH`);
  });

  const makeKey = (name: string): string => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(place.path, name)]);
    return join(place.path, name);
  };

  /** A server of this account's on loopback that lets one key in. */
  async function startSshd(authorized: string): Promise<number> {
    if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
    const port = await closedPort();
    const config = join(place.path, "sshd_config");
    const lines = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${makeKey("host")}`,
      `AuthorizedKeysFile ${authorized}.pub`,
      `PidFile ${place.path}/sshd.pid`,
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", config], { stdio: "ignore" });
    onTestFinished(async () => {
      if (server.exitCode === null && server.kill()) await once(server, "exit");
    });
    await eventually(() => answers(port));
    return port;
  }

  const answers = (port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      socket.on("error", () => resolve(false));
      socket.on("data", () => resolve(true)).on("close", () => resolve(false));
      socket.on("data", () => socket.destroy());
    });

  const known = (port: number): Record<string, string> => {
    const host = readFileSync(join(place.path, "host.pub"), "utf8");
    const file = join(place.path, "known_hosts");
    writeFileSync(file, `[127.0.0.1]:${port} ${host}`);
    return { ...place.environment, GIT_SSH_COMMAND: `ssh -F none -o UserKnownHostsFile=${file}` };
  };

  it("gives it to a deploy key, and to no other; no key stays behind", async () => {
    place.repository("origin", { a: "1\n" });
    const right = makeKey("right");
    const port = await startSshd(right);
    const url = `ssh://${userInfo().username}@127.0.0.1:${port}${place.path}/origin`;
    const value = readFileSync(right, "utf8");
    const source = opened({ name: "DEPLOY_KEY", username: "git", value }, known(port));
    expect(await source.resolve(request(url))).toMatchObject({ branch: "main" });

    const other = readFileSync(makeKey("other"), "utf8");
    const refused = opened({ name: "DEPLOY_KEY", username: "git", value: other }, known(port));
    await expect(refused.resolve(request(url))).rejects.toMatchObject({
      code: "source_unavailable",
      message: expect.stringMatching(/ssh was not let in to .* \(with the secret DEPLOY_KEY\)/),
    });
    expect(readdirSync(join(place.path, "keys"))).toEqual([]);
  });

  it("is not believed when its host key is not known", async () => {
    place.repository("origin", { a: "1\n" });
    const key = makeKey("right");
    const port = await startSshd(key);
    const url = `ssh://${userInfo().username}@127.0.0.1:${port}${place.path}/origin`;
    const environment = {
      ...place.environment,
      GIT_SSH_COMMAND: "ssh -F none -o UserKnownHostsFile=/dev/null",
    };
    const source = opened({ name: "KEY", username: "git", value: readFileSync(key, "utf8") }, environment);
    await expect(source.resolve(request(url))).rejects.toMatchObject({
      message: expect.stringContaining("ssh was not let in"),
    });
  });
});
