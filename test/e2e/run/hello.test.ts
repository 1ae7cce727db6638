/** The example that a newcomer starts with, from the command to the last byte. */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ArtifactDetail, RunDetail, RunSummary } from "../../../src/services/index.ts";
import { type Answer, World } from "../../support/cli.ts";

// The first run makes its database itself, as a newcomer's does.
let world: World;
let first: Answer;
let before: string;
const state = () => world.git(".", "status", "--porcelain", "--ignored", "examples/hello");

beforeAll(async () => {
  world = new World();
  before = state();
  first = await world.shipinator(["run", "examples/hello"]);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

describe("shipinator run examples/hello", () => {
  it("builds, tests and deploys, and says what came of it", async () => {
    expect(first.stderr).not.toMatch(/error|warning/);
    expect(first.code).toBe(0);
    for (const stage of ["build", "test", "deploy"])
      expect(first.stdout).toMatch(new RegExp(`^${stage} +succeeded +\\d`, "m"));
    for (const step of ["compile", "greeting", "language", "answers", "refuses", "coverage", "deploy"])
      expect(first.stdout).toMatch(new RegExp(`^  ✓ ${step} +\\d+(\\.\\d)?m?s`, "m"));
    expect(first.stdout).toContain("it answers: Hello, Shipinator!");
    expect(first.stdout).toMatch(/✓ run 1 of hello: success in \d/);
    expect(first.stdout).toContain(`Data directory: ${world.dataDir}`);
    await world.quiet();
  });

  it("shows artifacts with the digests of their bytes", () => {
    const shown = [...first.stdout.matchAll(/sha256:([0-9a-f]{64})\n +(\/\S+)/g)];
    expect(shown).toHaveLength(2);
    for (const [, digest, path = ""] of shown) expect(sha256(readFileSync(path))).toBe(digest);
  });

  it("has installed a program that runs", () => {
    const program = join(world.home, "share/shipinator-hello/bin/hello");
    expect(statSync(program).mode & 0o111).not.toBe(0);
  });

  it("writes plain lines into a pipe: each step's after its name, no colour, nothing twice", () => {
    expect(first.stdout).not.toContain("\u001b");
    expect(first.stdout).not.toContain("\r");
    expect(first.stdout.match(/^▸ build\/compile$/gm)).toHaveLength(1);
    expect(first.stdout.match(/^\[build\/compile\] bin\/hello: 3 modules/gm)).toHaveLength(1);
    expect(first.stdout.indexOf("✓ build/compile")).toBeLessThan(first.stdout.indexOf("▸ test/greeting"));
  });

  it("leaves the example's directory as it was", () => {
    expect(state()).toBe(before);
  });
});

describe("what is kept of it", () => {
  it("list: one row; an array in JSON", async () => {
    const { code, stdout } = await world.shipinator(["list"]);
    expect(code).toBe(0);
    expect(stdout.split("\n")[1]).toMatch(/^ +1 +success +hello/);
    const listed: readonly RunSummary[] = JSON.parse((await world.shipinator(["list", "-o", "json"])).stdout);
    expect(listed).toMatchObject([{ number: 1, status: "success", phase: "deployed", project: "hello" }]);
  });

  it("status: the run as a document", async () => {
    const run = await world.status("1");
    expect(run.jobs.map(({ job_type, status }) => [job_type, status])).toEqual([
      ["build", "succeeded"],
      ["test", "succeeded"],
      ["deploy", "succeeded"],
    ]);
    expect(run.subpath).toBe("examples/hello");
    expect(run.git_sha).toMatch(/^[0-9a-f]{40}$/);
    for (const { steps } of run.jobs)
      for (const { executions } of steps)
        expect(executions).toMatchObject([
          { attempt: 1, status: "succeeded", exit_code: 0, failure_reason: null },
        ]);
    const { code, stdout } = await world.shipinator(["status"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`id ${run.id}`);
  });

  it("logs: one step's bytes alone, or all steps' with their names", async () => {
    expect(await world.log("1", "compile")).toMatch(/^bin\/hello: 3 modules, \d+ characters\n$/);
    const { stdout } = await world.shipinator(["logs", "1"]);
    expect(stdout).toContain("[build/compile] bin/hello: 3 modules");
    expect(stdout).toContain("[deploy/deploy] it answers: Hello, Shipinator!");
  });

  it("artifacts and download: the bytes of the digest", async () => {
    const answer = await world.shipinator(["artifacts", "1", "-o", "json"]);
    const artifacts: readonly ArtifactDetail[] = JSON.parse(answer.stdout);
    expect(artifacts).toMatchObject([
      { name: "hello", artifact_type: "binary", metadata: { form: "file", path: "bin/hello", mode: 0o755 } },
      { name: "coverage.lcov", artifact_type: "coverage" },
    ]);
    const target = join(world.root, "downloaded");
    const { code } = await world.shipinator(["download", "1/hello", "--to", target]);
    expect(code).toBe(0);
    expect(sha256(readFileSync(target))).toBe(artifacts[0]?.checksum);
    expect(statSync(target).mode & 0o111).not.toBe(0);
    const piped = await world.shipinator(["download", artifacts[1]?.id ?? "", "--to", "-"]);
    expect(sha256(piped.stdout)).toBe(artifacts[1]?.checksum);
  });
});

describe("a second run in the same data directory", () => {
  it("is number 2, and with -o json stdout is one document", async () => {
    const { code, stdout, stderr } = await world.shipinator([
      "run",
      "examples/hello",
      "--only",
      "build",
      "-o",
      "json",
    ]);
    expect(code).toBe(0);
    const run: RunDetail = JSON.parse(stdout);
    expect(run).toMatchObject({ number: 2, status: "success", phase: "built", failure_reason: null });
    expect(run.jobs.map((job) => job.job_type)).toEqual(["build"]);
    expect(stderr).toContain("▸ build/compile");
    expect((await world.status()).number).toBe(2);
    await world.quiet();
  });
});
