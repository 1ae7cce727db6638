/** What a server refuses to begin with, and TLS. */
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { portOf, serverEnvironment, startServer } from "../../support/server.ts";

let world: World;
beforeEach(async () => {
  world = await World.prepared();
});
afterEach(() => world[Symbol.asyncDispose]());

const pem = (name: string) => fileURLToPath(new URL(`../../support/tls/${name}`, import.meta.url));

async function refusal(env: Readonly<Record<string, string>>) {
  const { code, stderr } = await world.shipinator(["serve"], { env: { ...serverEnvironment, ...env } });
  return { code, stderr };
}

describe("a server is refused", () => {
  it("beyond loopback without TLS or a proxy that does it", async () => {
    const { code, stderr } = await refusal({ SHIPINATOR_LISTEN_ADDRESS: "0.0.0.0:0" });
    expect([code, stderr]).toEqual([2, expect.stringContaining("without TLS would expose every token")]);
  });

  it("as root, unless that is said to be known; as anybody else it needs no word", async () => {
    if (process.getuid?.() !== 0) {
      const server = await startServer(world);
      expect(await server.stop()).toBe(0);
      return;
    }
    const { code, stderr } = await world.shipinator(["serve"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("SHIPINATOR_LOCAL_USER=root")]);
  });

  it("with half of TLS, with files that are none, and on an address that is taken", async () => {
    const half = await refusal({ SHIPINATOR_TLS_CERTIFICATE: pem("first.pem") });
    expect([half.code, half.stderr]).toEqual([2, expect.stringContaining("also needs tls.key.")]);
    const absent = join(world.root, "absent.pem");
    const none = await refusal({ SHIPINATOR_TLS_CERTIFICATE: absent, SHIPINATOR_TLS_KEY: absent });
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining(absent)]);
    for (const [key, message] of [
      [
        "second.key.pem",
        `The key ${pem("second.key.pem")} does not belong to the certificate ${pem("first.pem")}.`,
      ],
      ["first.pem", `The certificate ${pem("first.pem")} and the key ${pem("first.pem")} cannot be used: `],
    ] as const) {
      const unfit = await refusal({
        SHIPINATOR_TLS_CERTIFICATE: pem("first.pem"),
        SHIPINATOR_TLS_KEY: pem(key),
      });
      expect([unfit.code, unfit.stderr]).toEqual([2, expect.stringContaining(`error: ${message}`)]);
    }
    const server = await startServer(world);
    const taken = await refusal({ SHIPINATOR_LISTEN_ADDRESS: `127.0.0.1:${portOf(server)}` });
    expect([taken.code, taken.stderr]).toEqual([
      3,
      expect.stringContaining("A server of this data directory is already running"),
    ]);
    const elsewhere = { SHIPINATOR_DATA_DIR: join(world.root, "elsewhere") };
    const busy = await refusal({ ...elsewhere, SHIPINATOR_LISTEN_ADDRESS: `127.0.0.1:${portOf(server)}` });
    expect([busy.code, busy.stderr]).toEqual([3, expect.stringContaining("Another program listens there")]);
    expect((await world.shipinator(["whoami"])).stdout).toContain("admin");
    expect((await server.fetch("/readyz")).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it("with an admin token that others can read", async () => {
    const file = join(world.dataDir, "admin-token");
    writeFileSync(file, "shp_x\n", { mode: 0o644 });
    const { code, stderr } = await refusal({ SHIPINATOR_LISTEN_ADDRESS: "127.0.0.1:0" });
    expect([code, stderr]).toEqual([3, expect.stringContaining(file)]);
    rmSync(file);
  });
});

describe("TLS", () => {
  it("is spoken with the given certificate, and with the one that takes its place", async () => {
    const [certificate, key] = [join(world.root, "now.pem"), join(world.root, "now.key.pem")];
    const use = (name: string) => {
      copyFileSync(pem(`${name}.pem`), certificate);
      copyFileSync(pem(`${name}.key.pem`), key);
    };
    use("first");
    const server = await startServer(world, 0, {
      SHIPINATOR_TLS_CERTIFICATE: certificate,
      SHIPINATOR_TLS_KEY: key,
    });
    expect(server.url).toMatch(/^https:/);
    expect(await subjectOf(server.url)).toBe("first.test");
    use("second");
    await eventually(async () => expect(await subjectOf(server.url)).toBe("second.test"));
    expect(await server.stop()).toBe(0);
  });
});

/** Who the server says it is; the certificates are our own, so nobody vouches for them. */
function subjectOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/healthz`, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      const { socket } = response;
      const name = "getPeerCertificate" in socket ? peerOf(socket) : "none";
      response.on("end", () => resolve(name));
    });
    asked.on("error", reject);
    asked.end();
  });
}

function peerOf(socket: { getPeerCertificate?: unknown }): string {
  const read = socket.getPeerCertificate;
  const peer: unknown = typeof read === "function" ? Reflect.apply(read, socket, []) : null;
  return typeof peer === "object" && peer !== null && "subject" in peer
    ? String(Reflect.get(Object(peer.subject), "CN"))
    : "none";
}
