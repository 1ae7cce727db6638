/** The external database: chosen by SHIPINATOR_DB_HOST, and nothing else changes. On both majors at the ends of the range. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { withoutImage } from "../support/needs.ts";
import { releases, type Server, startServer } from "./server.ts";

const checkout = fileURLToPath(new URL("../../..", import.meta.url));
const execute = promisify(execFile);

/** The closing line of a suite that runs against the server, and its whole output for when it is not as hoped. */
async function suite(args: readonly string[], env: Readonly<Record<string, string>>) {
  const vitest = [join(checkout, "node_modules/vitest/vitest.mjs"), "run", ...args];
  const options = { cwd: checkout, env: { ...process.env, ...env, NO_COLOR: "1" }, maxBuffer: 1 << 28 };
  const output = await execute(process.execPath, vitest, options).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { stdout?: string; stderr?: string }) => `${error.stdout}${error.stderr}`,
  );
  const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output) ?? [];
  return { passed: Number(passed), failed: Number(failed), skipped: Number(skipped), output };
}

describe.each(releases)("Postgres $major of Debian $suite", (release) => {
  let server: Server;

  beforeAll(async () => {
    if (withoutImage(`debian:${release.suite}-slim`) === null) server = await startServer(release);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  beforeEach((context) => {
    const reason = withoutImage(`debian:${release.suite}-slim`);
    if (reason !== null) context.skip(reason);
  });

  /** What switches the program to a new database there. */
  async function database(name: string): Promise<Record<string, string>> {
    await server.sql(`create database ${name}`);
    return {
      SHIPINATOR_DB_HOST: "localhost",
      SHIPINATOR_DB_PORT: String(server.port),
      SHIPINATOR_DB_USER: server.user,
      SHIPINATOR_DB_PASSWORD: server.password,
      SHIPINATOR_DB_NAME: name,
    };
  }

  it("is the server that it says", async () => {
    expect(await server.sql("show server_version_num")).toMatch(new RegExp(`^${release.major}\\d{4}$`));
  });

  it.each([
    ["the Postgres suite", ["--project", "pg"], 100],
    ["the tests of the whole program", ["--project", "e2e", "test/e2e/run"], 40],
  ])("passes %s whole", async (_what, args, atLeast) => {
    const { passed, failed, skipped, output } = await suite(args, {
      SHIPINATOR_TEST_DB_HOST: "localhost",
      SHIPINATOR_TEST_DB_PORT: String(server.port),
      SHIPINATOR_TEST_DB_USER: server.user,
      SHIPINATOR_TEST_DB_PASSWORD: server.password,
    });
    expect({ failed, skipped }, output).toEqual({ failed: 0, skipped: 0 });
    expect(passed).toBeGreaterThan(atLeast);
    expect(await server.sql("select count(*) from pg_database where datname like 'shipinator%'")).toBe("0");
  });

  it("carries the example from source to deploy, and no database is made on this machine", async () => {
    await using world = new World();
    const env = await database("hello");
    const { code, stdout, stderr } = await world.shipinator(["run", "examples/hello", "-o", "json"], { env });
    expect(code, stderr).toBe(0);
    const run: RunDetail = JSON.parse(stdout);
    expect(run).toMatchObject({ number: 1, status: "success", phase: "deployed" });
    expect(existsSync(join(world.home, "share/shipinator-hello/bin/hello"))).toBe(true);
    expect(readdirSync(world.dataDir).sort()).toEqual(["artifacts", "logs", "mirrors", "work"]);
    expect(await server.sql("select status from pipeline_runs", "hello")).toBe("success");
    const again = await world.shipinator(["status", run.id, "-o", "json"], { env });
    expect(JSON.parse(again.stdout)).toEqual(run);
  });

  it("may cut every connection under a run, which goes on", async () => {
    await using world = new World();
    const env = await database("cut");
    const go = join(world.root, "go");
    const run = `echo begun; while [ ! -e ${go} ]; do sleep 0.1; done`;
    const directory = world.repository("patient", {
      ".shipinator.yaml": JSON.stringify({ build: { steps: [{ name: "wait", run }] } }),
    });
    const running = world.start(["run", directory], { env });
    await running.said(/\[build\/wait\] begun/);
    const cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'cut'";
    expect(Number(await server.sql(cut))).toBeGreaterThan(0);
    writeFileSync(go, "");
    const { code, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
    expect(await server.sql("select status from pipeline_runs", "cut")).toBe("success");
  });

  it("is named when it refuses: wrong password, no such database", async () => {
    await using world = new World();
    const env = await database("refusing");
    const wrong = await world.shipinator(["list"], {
      env: { ...env, SHIPINATOR_DB_PASSWORD: "s3cr3t-but-wrong" },
    });
    expect(wrong.code).toBe(3);
    expect(wrong.stderr).toContain("password authentication failed");
    expect(wrong.stderr).not.toContain("s3cr3t-but-wrong");
    const absent = await world.shipinator(["list"], { env: { ...env, SHIPINATOR_DB_NAME: "nowhere" } });
    expect(absent.code).toBe(3);
    expect(absent.stderr).toContain('database "nowhere" does not exist');
  });

  describe("encryption", () => {
    async function list(world: World, env: Record<string, string>) {
      const { code, stderr } = await world.shipinator(["list"], { env });
      return { code, stderr };
    }
    const noRuns = { code: 0, stderr: "note: There are no runs yet. Start one with: shipinator run\n" };

    it("is spoken with ssl_mode require, and only then where the server insists", async () => {
      await using world = new World();
      const env = await database("only_encrypted");
      const plain = await list(world, env);
      expect(plain.code).toBe(3);
      expect(plain.stderr).toContain("no encryption");
      expect(await list(world, { ...env, SHIPINATOR_DB_SSL_MODE: "require" })).toEqual(noRuns);
    });

    it("is proven with verify-full: by the authority that is named, and for the host's name", async () => {
      await using world = new World();
      const file = join(world.root, "authority.pem");
      writeFileSync(file, await server.authority());
      const env = { ...(await database("verified")), SHIPINATOR_DB_SSL_MODE: "verify-full" };
      const trusting = { ...env, SHIPINATOR_DB_SSL_ROOT_CERTIFICATE: file };
      expect(await list(world, trusting)).toEqual(noRuns);
      const unknown = await list(world, env);
      expect(unknown.code).toBe(3);
      expect(unknown.stderr).toMatch(/certificate/);
      const other = await list(world, { ...trusting, SHIPINATOR_DB_HOST: "127.0.0.1" });
      expect(other.code).toBe(3);
      expect(other.stderr).toMatch(/127\.0\.0\.1.*not in the cert's list|does not match certificate/);
    });
  });
});
