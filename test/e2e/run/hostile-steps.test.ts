/** Steps that write too much, close what they were given, or kill what they should not: the run says what happened. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail, StepDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";

let world: World;
beforeAll(async () => {
  world = await World.prepared();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const many = {
  SHIPINATOR_LOCAL_SLOTS: "8",
  SHIPINATOR_PARALLEL_LIMIT: "8",
  SHIPINATOR_LOCAL_LOG_CAP: "100KiB",
};

/** One group, so that each step has its say whatever becomes of the others. */
const group = (steps: Readonly<Record<string, string>>, more = "") =>
  `build:\n  steps:\n${Object.entries(steps)
    .map(
      ([name, run]) => `    - { name: ${name}, parallel_group: all, ${more}run: ${JSON.stringify(run)} }\n`,
    )
    .join("")}`;

function stepOf(run: RunDetail, name: string): StepDetail {
  const step = run.jobs.flatMap((job) => job.steps).find((one) => one.name === name);
  if (step === undefined) throw new Error(`no step ${name}`);
  return step;
}

const endOf = (run: RunDetail, name: string) => {
  const { status, executions } = stepOf(run, name);
  const { failure_reason, exit_code, message, log_bytes, log_dropped } = executions.at(-1) ?? {};
  return { status, attempts: executions.length, failure_reason, exit_code, message, log_bytes, log_dropped };
};

describe("a group of hostile steps", () => {
  let run: RunDetail;
  let stdout: string;

  beforeAll(async () => {
    const long = `: ${"x".repeat(200 * 1024)}\necho long`;
    const directory = world.directory("hostile", {
      ".shipinator.yaml": group({
        chatty: "head -c 300000 /dev/zero | tr '\\0' 'x'",
        silent: "exec >&- 2>&-; echo nobody hears; exit 0",
        parent: "echo before; kill -9 $PPID; echo after",
        everyone: "kill -9 0",
        long,
        orphan: "sleep 300 & echo started",
        stdin: "cat; echo read",
        missing: "no-such-command",
      }),
    });
    const answer = await world.shipinator(["run", directory], { env: many });
    stdout = answer.stdout;
    expect({ code: answer.code, stderr: answer.stderr }).toEqual({ code: 1, stderr: "" });
    run = await world.status();
    expect(run.status).toBe("failed");
  });

  it("a log over the cap is cut, counted, and no failure", () => {
    const end = endOf(run, "chatty");
    expect(end).toMatchObject({ status: "succeeded", failure_reason: null });
    expect(end.log_bytes).toBeLessThanOrEqual(100 * 1024 + 500);
    expect((end.log_bytes ?? 0) + (end.log_dropped ?? 0)).toBeGreaterThanOrEqual(300_000);
  });

  it("who closes its output succeeds in silence", () => {
    // The shell's own complaint about the closed output may fail the echo, and with it the script.
    expect(["succeeded", "failed"]).toContain(endOf(run, "silent").status);
    expect(endOf(run, "silent").log_bytes).toBe(0);
  });

  it("who kills the shell above, or its group, is lost with that reason and not tried again", () => {
    for (const name of ["parent", "everyone"]) {
      const end = endOf(run, name);
      expect(end).toMatchObject({
        status: "failed",
        attempts: 1,
        failure_reason: "executor_lost",
        exit_code: null,
      });
      expect(end.message).toMatch(/kill/);
    }
    expect(stdout).toContain("✗ build/parent: executor_lost");
  });

  it("a script of 200 KiB runs, an orphan ends with its job, stdin is empty, 127 says what it means", async () => {
    expect(endOf(run, "long")).toMatchObject({ status: "succeeded", exit_code: 0 });
    expect(endOf(run, "orphan")).toMatchObject({ status: "succeeded", exit_code: 0 });
    expect(endOf(run, "stdin")).toMatchObject({ status: "succeeded", exit_code: 0 });
    expect(endOf(run, "missing")).toMatchObject({ failure_reason: "script_failed", exit_code: 127 });
    expect(stdout).toContain("a command was not found");
    await world.quiet();
  });
});

it("a shell that is not there is start_failed, and says which", async () => {
  const directory = world.directory("shell", {
    ".shipinator.yaml": "build:\n  steps:\n    - { name: a, shell: no-such-shell -e, run: 'true' }\n",
  });
  const { code, stdout } = await world.shipinator(["run", directory]);
  expect(code).toBe(1);
  expect(stdout).toContain("✗ build/a: start_failed");
  expect(stdout).toContain("no-such-shell");
});

it("who removes the workspace fails alone: the next step says that it is gone", async () => {
  const directory = world.directory("gone", {
    ".shipinator.yaml": `
build:
  steps:
    - { name: removes, run: 'cd ..; rm -rf "$OLDPWD"; echo removed' }
    - { name: next, run: "echo never >${world.root}/never" }
`,
  });
  const { code } = await world.shipinator(["run", directory]);
  expect(code).toBe(1);
  const run = await world.status();
  expect(endOf(run, "removes")).toMatchObject({ status: "succeeded" });
  expect(endOf(run, "next")).toMatchObject({
    status: "failed",
    failure_reason: "start_failed",
    message: expect.stringContaining("workspace"),
  });
});

it("after all of these a good run is as good as ever, and reads its logs back whole", async () => {
  const directory = world.directory("good", {
    ".shipinator.yaml": group({ a: "printf 'bytes \\377\\000 and no newline'", b: "seq 1000" }),
  });
  expect((await world.shipinator(["run", directory])).code).toBe(0);
  expect(await world.log("latest", "b")).toBe(
    `${Array.from({ length: 1000 }, (_, n) => n + 1).join("\n")}\n`,
  );
  expect(readFileSync(join(world.root, "good/.shipinator.yaml"), "utf8")).toContain("printf");
});
