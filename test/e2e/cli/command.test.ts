import { spawn } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const launcher = fileURLToPath(new URL("../../../src/launch.js", import.meta.url));
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shipinator-cli-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function shipinator(
  argv: readonly string[],
  options: { readonly env?: Record<string, string>; readonly stdin?: string } = {},
) {
  const child = spawn(process.execPath, [launcher, ...argv], {
    cwd: directory,
    env: { PATH: process.env.PATH ?? "", HOME: directory, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(options.stdin ?? "");
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

/** The scripts that a command has loaded, as the engine counts them. */
async function loadedBy(argv: readonly string[]): Promise<readonly string[]> {
  const coverage = join(directory, "coverage");
  const { code } = await shipinator(argv, { env: { NODE_V8_COVERAGE: coverage } });
  expect(code).toBe(0);
  const urls: string[] = [];
  for (const name of await readdir(coverage)) {
    const report: { result: readonly { url: string }[] } = JSON.parse(
      await readFile(join(coverage, name), "utf8"),
    );
    urls.push(...report.result.map(({ url }) => url));
  }
  return urls.filter((url) => url.startsWith("file:"));
}

const packages = (urls: readonly string[]) =>
  new Set(urls.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []));

const good = "build:\n  steps:\n    - name: a\n      run: make\n";

describe("the shipinator command", () => {
  it("prints its version and loads next to nothing for it", async () => {
    const { version } = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8"));
    expect(await shipinator(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    expect([...packages(await loadedBy(["--version"]))]).toEqual([]);
  });

  it("validates without database, logger or executor", async () => {
    await writeFile(join(directory, ".shipinator.yaml"), good);
    const loaded = await loadedBy(["validate"]);
    for (const foreign of ["pg", "pino", "pino-pretty", "node-pg-migrate"])
      expect([...packages(loaded)]).not.toContain(foreign);
    for (const room of ["store", "executor", "orchestrator", "source"])
      expect(loaded.filter((url) => url.includes(`/src/${room}/`))).toEqual([]);
  });

  it("validates standard input", async () => {
    expect(await shipinator(["validate", "-"], { stdin: good })).toMatchObject({ code: 0, stderr: "" });
    expect(await shipinator(["validate", "-"], { stdin: "build: 1\n" })).toMatchObject({
      code: 2,
      stdout: "",
    });
  });

  it("writes a starting file that validates", async () => {
    await writeFile(join(directory, "go.mod"), "module example.test/app\n\ngo 1.22\n");
    expect(await shipinator(["init"])).toMatchObject({ code: 0, stderr: "" });
    expect(await shipinator(["validate"])).toMatchObject({ code: 0, stderr: "" });
    expect(await shipinator(["init"])).toMatchObject({ code: 2, stdout: "" });
    expect((await readdir(directory)).toSorted()).toEqual([".shipinator.yaml", "go.mod"]);
  });

  it("sees what a starting file is made of, whatever lies beside it", async () => {
    await mkdir(join(directory, "assets"));
    const many = Array.from({ length: 5_001 }, (_, index) => join(directory, "assets", `${index}`));
    for (const path of many) await writeFile(path, "");
    await symlink("loop", join(directory, "loop"));
    await writeFile(join(directory, "package.json"), '{ "scripts": { "test": "node --test" } }');
    expect((await shipinator(["init"])).stdout).toContain("Based on package.json.");
  });

  it("ends quietly when its reader has gone", async () => {
    const child = spawn(process.execPath, [launcher, "--help"], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? "", HOME: directory },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    expect(await text(child.stderr)).toBe("");
    expect(await ended).toBe(0);
  });

  it.each([["--help"], ["--version"], ["validate", "-"]])(
    "%s says in a sentence that its output cannot be written, and exits 3",
    async (...argv) => {
      const full = await open("/dev/full", "w");
      const child = spawn(process.execPath, [launcher, ...argv], {
        cwd: directory,
        env: { PATH: process.env.PATH ?? "", HOME: directory },
        stdio: ["pipe", full.fd, "pipe"],
      });
      child.stdin?.end(good);
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      expect(child.stderr === null ? "" : await text(child.stderr)).toMatch(
        /^error: Standard output cannot be written: ENOSPC[^\n]*\n {2}[^\n]+\n$/,
      );
      expect(await ended).toBe(3);
      await full.close();
    },
  );

  it("says which configuration it cannot read, and who named it", async () => {
    const path = join(directory, "absent.yaml");
    const named = await shipinator(["list", "--config", "absent.yaml"]);
    expect([named.code, named.stderr]).toEqual([2, expect.stringContaining(`${path} cannot be read`)]);
    expect(named.stderr).toContain("Correct or remove --config");
    const variable = await shipinator(["list"], { env: { SHIPINATOR_CONFIG: path } });
    expect([variable.code, variable.stderr]).toEqual([
      2,
      expect.stringContaining("Correct or remove SHIPINATOR_CONFIG"),
    ]);
  });

  it("does not replace what is not UTF-8 in its configuration", async () => {
    const latin = Buffer.from("db: { host: 127.0.0.1, password: p\u00e4ss }\n", "latin1");
    await writeFile(join(directory, "c.yaml"), latin);
    const { code, stderr } = await shipinator(["list", "--config", "c.yaml"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("c.yaml:1:35: The byte 0xe4 at offset 34 is not"),
    ]);
  });

  it("takes an empty SHIPINATOR_CONFIG for none", async () => {
    const env = { SHIPINATOR_CONFIG: "", SHIPINATOR_LISTEN_ADDRESS: "nowhere" };
    expect((await shipinator(["list"], { env })).stderr).toContain(
      "SHIPINATOR_LISTEN_ADDRESS: listen_address",
    );
  });

  it("refuses with exit 2 what it does not understand", async () => {
    expect(await shipinator(["rnu"])).toMatchObject({ code: 2, stdout: "" });
  });
});
