/** Commands against a server with TLS: on its own machine, and from elsewhere with the certificate of its authority. */
import { readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { startServer, type TestServer } from "../../support/server.ts";

const pem = (name: string) => fileURLToPath(new URL(`../../support/tls/${name}`, import.meta.url));

let world: World;
let server: TestServer;

const tls = { SHIPINATOR_TLS_CERTIFICATE: pem("first.pem"), SHIPINATOR_TLS_KEY: pem("first.key.pem") };

beforeEach(async () => {
  world = await World.prepared();
  server = await startServer(world, 0, tls);
});
afterEach(async () => {
  if (server.process.child.exitCode === null) await server.stop();
  await world[Symbol.asyncDispose]();
});

const socket = () => join(world.dataDir, "server.sock");

/** An account on another machine: it has no data directory of the server. */
function elsewhere(variables: Readonly<Record<string, string>> = {}) {
  return { env: { SHIPINATOR_DATA_DIR: join(world.root, "elsewhere"), ...variables } };
}

describe("commands on the server's own machine", () => {
  it("use its Unix socket, which is for its account alone and needs a token as well", async () => {
    const { stdout } = await world.succeed(["list", "-o", "json"]);
    expect(JSON.parse(stdout)).toEqual([]);
    const named = await world.succeed(["list", "-o", "json", "--server", server.url]);
    expect(named.stdout).toBe(stdout);
    expect(statSync(socket()).mode & 0o777).toBe(0o600);
    expect(await statusOf("/v1/projects")).toBe(401);
    expect(await statusOf("/healthz")).toBe(200);
  });

  it("find it again after the server was killed and started anew; a stop removes it", async () => {
    await server.kill();
    // What it has left is no server: commands look into the data directory themselves.
    expect(JSON.parse((await world.succeed(["list", "-o", "json"])).stdout)).toEqual([]);
    server = await startServer(world, 0, tls);
    expect(JSON.parse((await world.succeed(["list", "-o", "json"])).stdout)).toEqual([]);
    expect(await server.stop()).toBe(0);
    expect(statSync(socket(), { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe("commands elsewhere", () => {
  it("say how to trust the authority of a certificate that they do not know", async () => {
    const { code, stderr } = await world.shipinator(
      ["list", "--server", server.url, "--token", server.token],
      elsewhere(),
    );
    expect([code, stderr]).toEqual([3, expect.stringContaining("--ca-file FILE or SHIPINATOR_CA_FILE")]);
  });

  it("trust the authority that the option, the variable or the login names", async () => {
    const named = ["--server", server.url, "--token", server.token];
    await world.succeed(["list", ...named, "--ca-file", pem("first.pem")], elsewhere());
    await world.succeed(["list", ...named], elsewhere({ SHIPINATOR_CA_FILE: pem("first.pem") }));
    await world.succeed(["login", server.url, "--ca-file", "first.pem"], {
      ...elsewhere(),
      cwd: fileURLToPath(new URL("../../support/tls", import.meta.url)),
      input: server.token,
    });
    await world.succeed(["list"], elsewhere());
    expect(JSON.parse(readFileSync(join(world.home, ".config/shipinator/login.json"), "utf8")).caFile).toBe(
      pem("first.pem"),
    );
  });

  it("refuse a file without a certificate, and an authority that has not signed it", async () => {
    const named = ["--server", server.url, "--token", server.token];
    const none = await world.shipinator(["list", ...named, "--ca-file", pem("first.key.pem")], elsewhere());
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("holds no certificate")]);
    const absent = await world.shipinator(["list", ...named, "--ca-file", "/absent.pem"], elsewhere());
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringContaining("/absent.pem")]);
    const other = await world.shipinator(["list", ...named, "--ca-file", pem("second.pem")], elsewhere());
    expect([other.code, other.stderr]).toEqual([3, expect.stringContaining("not trusted here")]);
  });
});

async function statusOf(path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request({ socketPath: socket(), path }, async (response) => {
    await text(response);
    resolve(response.statusCode ?? 0);
  })
    .on("error", reject)
    .end();
  return await promise;
}
