import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createManualClock } from "./support/clock.ts";
import { execute } from "./support/execute.ts";
import { createFakeClient } from "./support/fake-client.ts";
import { FakeRun } from "./support/fake-run.ts";
import { finish, start, until } from "./support/harness.ts";

describe("list", () => {
  it("is a table with absolute times in a pipe", async () => {
    const { code, stdout, stderr } = await execute(["list"]);
    expect(stderr).toBe("");
    expect(stdout).toBe(
      "RUN  STATUS  PIPELINE  REF   COMMIT   CAUSE   STARTED                   TOOK  REASON\n" +
        " 12  failed  hello     main  1a2b3c4  manual  2026-03-01T12:00:00.000Z  0.0s  script_failed\n",
    );
    expect(code).toBe(0);
  });

  it("fits the terminal, with relative times and one mark for uncommitted changes", async () => {
    const clock = createManualClock();
    const run = new FakeRun({}, clock, {
      project: "a-project-with-a-long-name\x1b[2J",
      git_ref: null,
      dirty: true,
    });
    await clock.advance(7_200_000);
    const { stdout } = await execute(
      ["list"],
      { runs: [run] },
      { clock, stdout: { isTTY: true, columns: 56 }, environment: { NO_COLOR: "1" } },
    );
    expect(stdout).toBe(
      "RUN  STATUS   PIPELINE      REF  COMMIT    STARTED  TOOK\n" +
        " 12  pending  a-project-w…  -    1a2b3c4+  2h ago      -\n",
    );
  });

  it("is the same as YAML, and by name a line for each run that commands take", async () => {
    const runs = [new FakeRun({}, createManualClock(), {})];
    const json = JSON.parse((await execute(["list", "-o", "json"], { runs })).stdout);
    const { stdout: yaml } = await execute(["list", "-o", "yaml"], { runs });
    expect(yaml).toMatch(/^- id: /);
    expect(parse(yaml)).toEqual(json);
    expect((await execute(["list", "-o", "name"], { runs })).stdout).toBe(`${json[0].id}\n`);
    expect((await execute(["list", "-o", "name", "--status", "success"])).stdout).toBe("");
    expect(parse((await execute(["list", "-o", "yaml", "--status", "success"])).stdout)).toEqual([]);
  });

  it("is an array as JSON, also when it is empty", async () => {
    const { stdout } = await execute(["list", "-o", "json", "--status", "failed"]);
    expect(JSON.parse(stdout)).toMatchObject([{ number: 12, status: "failed" }]);
    expect((await execute(["list", "-o", "json", "--status", "success"])).stdout).toBe("[]\n");
    expect((await execute(["list"], { runs: [] })).stderr).toBe(
      "note: There are no runs yet. Start one with: shipinator run\n",
    );
  });

  it("names a pipeline as it can be given back", async () => {
    const clock = createManualClock();
    const runs = [new FakeRun({}, clock, { project: "web", pipeline: "site" })];
    expect((await execute(["list"], { runs })).stdout).toMatch(/^ 12 +pending +web\/site /m);
  });

  it.each([
    [["--status", "succeeded"], { status: "success" }],
    [["--project", "web"], { project: "web" }],
    [["--pipeline", "web/site", "--branch", "main"], { pipeline: "web/site", ref: "main" }],
    [["--since", "2026-01-31T12:00:00Z"], { since: "2026-01-31T12:00:00Z" }],
    [["--since", "2h"], { since: "2026-03-01T10:00:00.000Z" }],
  ])("asks for %j", async (argv, filter) => {
    const client = createFakeClient({ runs: [] });
    const command = start({ argv: ["list", ...argv], client });
    expect(await finish(command)).toBe(0);
    expect(client.filters).toEqual([filter]);
    expect(command.stderr.text()).toBe("note: No run matches the options.\n");
  });

  it.each([
    [["--branch", "main"], "--branch requires --pipeline and excludes --status."],
    [["--branch", "main", "--pipeline", "a", "--status", "failed"], "--branch requires --pipeline"],
    [
      ["--since", "yesterday"],
      '--since is not a time: "yesterday".\n  Use a time such as 2030-01-31T12:00:00Z, or a duration such as 7d',
    ],
  ])("refuses %j in the words of the options", async (argv, message) => {
    const { code, stderr } = await execute(["list", ...argv]);
    expect(code).toBe(2);
    expect(stderr).toContain(`error: ${message}`);
  });

  it("turns pages until it has as many as asked for", async () => {
    const clock = createManualClock();
    const runs = Array.from({ length: 250 }, (_, number) => new FakeRun({}, clock, { number }));
    const { stdout, command } = await execute(["list", "--limit", "230", "-o", "json"], { runs });
    expect(JSON.parse(stdout)).toHaveLength(230);
    expect(command.opened).toEqual(["read"]);
  });
});

describe("status", () => {
  it("exits 0 whatever the run's state, and shows all of it", async () => {
    const { code, stdout } = await execute(["status", "12"]);
    expect(code).toBe(0);
    expect(stdout).toContain("run 12 of hello (main, commit 1a2b3c4), 2026-03-01T12:00:00.000Z\nid ");
    expect(stdout).toContain("✗ test/compile: script_failed, exit status 1\n  | no newline at the end\n");
  });

  it("gives the run as JSON", async () => {
    expect(JSON.parse((await execute(["status", "-o", "json"])).stdout)).toMatchObject({
      number: 12,
      jobs: [{}, {}],
    });
  });

  it("refuses a run that does not exist", async () => {
    const { code, stdout, stderr } = await execute(["status", "99", "-o", "json"]);
    expect(code).toBe(2);
    expect(stderr).toBe('error: there is no run "99"\n');
    expect(JSON.parse(stdout)).toEqual({
      error: { code: "not_found", message: 'there is no run "99"', place: null, remedy: null, details: null },
    });
  });
});

describe("logs", () => {
  it("prints all steps' lines after their names", async () => {
    expect((await execute(["logs", "12"])).stdout).toBe(
      "[build/compile] building\n[test/unit] ok\n[test/compile] no newline at the end\n",
    );
  });

  it("prints one step's bytes as they are", async () => {
    expect((await execute(["logs", "12", "--step", "test/compile"])).stdout).toBe("no newline at the end");
    expect((await execute(["logs", "12", "--step", "unit"])).stdout).toBe("ok\n");
  });

  it("puts times before lines: as they are in a pipe, since the begin on a terminal", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    run.step("build/compile", "one\ntwo\nthree\nfour");
    const execution = run.detail.jobs[0]?.steps[0]?.executions[0];
    if (execution === undefined) throw new Error("there was no attempt");
    const begun = Date.parse(execution.begun_at ?? "");
    const at = (seconds: number) => new Date(begun + seconds * 1000).toISOString();
    run
      .logOf(execution.id)
      .times.push({ offset: 4, at: at(5) }, { offset: 12, at: at(65) }, { offset: 18, at: at(3700) });
    run.moveRun("success");
    const piped = await execute(["logs", "-t", "--step", "compile"], { runs: [run] });
    expect(piped.stdout).toBe(
      [
        [5, "one"],
        [65, "two"],
        [65, "three"],
        [3700, "four"],
      ]
        .map(([seconds, line]) => `${at(Number(seconds)).slice(0, 19)}Z ${line}\n`)
        .join(""),
    );
    const shown = await execute(["logs", "--timestamps"], { runs: [run] }, { stdout: { isTTY: true } });
    expect(stripVTControlCharacters(shown.stdout)).toBe(
      "00:05 [build/compile] one\n01:05 [build/compile] two\n01:05 [build/compile] three\n1:01:40 [build/compile] four\n",
    );
  });

  it("says which steps there are when the name is unknown or ambiguous", async () => {
    const unknown = await execute(["logs", "12", "--step", "nope"]);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toBe(
      'error: The run has no step "nope".\n  Its steps are build/compile, test/unit, test/compile.\n',
    );
    const ambiguous = await execute(["logs", "12", "--step", "compile"]);
    expect(ambiguous.code).toBe(2);
    expect(ambiguous.stderr).toContain("--step build/compile or --step test/compile");
  });

  it("keeps colours on a terminal and nothing else of what a step could do to it", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    run.step("build/compile", "\x1b[2J\x1b[31mred\x1b[0m\x07 plain\n\x1b]0;t\x07x");
    run.moveRun("success");
    const { stdout } = await execute(["logs"], { runs: [run] }, { stdout: { isTTY: true } });
    expect(stdout).toBe(
      "\x1b[2m[build/compile] \x1b[22m\x1b[31mred\x1b[0m plain\x1b[0m\n\x1b[2m[build/compile] \x1b[22mx\x1b[0m\n",
    );
  });

  it("follows one step until it ends, though the run goes on", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile", "image"] }, clock);
    run.start("build/compile");
    run.log("build/compile", "a\nb");
    const command = start({
      argv: ["logs", "--step", "compile", "-f"],
      client: createFakeClient({ runs: [run] }),
      clock,
    });
    await until(command, () => command.stdout.text() === "a\nb");
    run.log("build/compile", "c\n");
    run.end("build/compile");
    expect(await finish(command)).toBe(0);
    expect(command.stdout.text()).toBe("a\nbc\n");
  });

  it("says that more may come of a run that is not over", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    run.start("build/compile");
    run.log("build/compile", "a\n");
    const { stdout, stderr } = await execute(["logs"], { runs: [run] });
    expect(stdout).toBe("[build/compile] a\n");
    expect(stderr).toBe("note: The run has not ended. Add --follow to see the rest.\n");
  });

  it("ends quietly when nobody reads any more", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    run.start("build/compile");
    run.log("build/compile", "a\n");
    const command = start({ argv: ["logs", "-f"], client: createFakeClient({ runs: [run] }), clock });
    await until(command, () => command.stdout.text() !== "");
    command.stdout.leave();
    expect(await finish(command)).toBe(0);
    expect(command.stderr.text()).toBe("");
    expect(command.closed()).toBe(1);
  });
});
