import { describe, expect, it } from "vitest";
import { Problem } from "../../../src/kernel/index.ts";
import { createManualClock } from "./support/clock.ts";
import { createFakeClient, type FakeClientOptions } from "./support/fake-client.ts";
import { FakeRun } from "./support/fake-run.ts";
import { finish, type HarnessOptions, start, until } from "./support/harness.ts";

function finishedRun(clock = createManualClock()): FakeRun {
  const run = new FakeRun({ build: ["compile"], test: ["unit", "compile"] }, clock);
  run.step("build/compile", "building\n");
  run.endJob("build", "succeeded");
  run.step("test/unit", "ok\n");
  run.step("test/compile", "no newline at the end", { reason: "script_failed", exit: 1 });
  run.endJob("test", "failed", "script_failed");
  run.moveRun("failed", "script_failed");
  return run;
}

async function execute(
  argv: readonly string[],
  client: Partial<FakeClientOptions> = {},
  options: Partial<HarnessOptions> = {},
) {
  const fake = createFakeClient({ runs: [finishedRun()], ...client });
  const command = start({ argv, client: fake, ...options });
  const code = await finish(command);
  return { code, stdout: command.stdout.text(), stderr: command.stderr.text(), command };
}

describe("list", () => {
  it("is a table with absolute times in a pipe", async () => {
    const { code, stdout, stderr } = await execute(["list"]);
    expect(stderr).toBe("");
    expect(stdout).toBe(
      "RUN  STATUS  PROJECT  REF   COMMIT   STARTED                   TOOK  REASON\n" +
        " 12  failed  hello    main  1a2b3c4  2026-03-01T12:00:00.000Z  0.0s  script_failed\n",
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
      "RUN  STATUS   PROJECT       REF  COMMIT    STARTED  TOOK\n" +
        " 12  pending  a-project-w…  -    1a2b3c4+  2h ago      -\n",
    );
  });

  it("is an array as JSON, also when it is empty", async () => {
    const { stdout } = await execute(["list", "-o", "json", "--status", "failed"]);
    expect(JSON.parse(stdout)).toMatchObject([{ number: 12, status: "failed" }]);
    expect((await execute(["list", "-o", "json", "--status", "success"])).stdout).toBe("[]\n");
    expect((await execute(["list"], { runs: [] })).stderr).toBe(
      "note: no runs yet; this makes one: shipinator run\n",
    );
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

  it("says which steps there are when the name is unknown or ambiguous", async () => {
    const unknown = await execute(["logs", "12", "--step", "nope"]);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toBe(
      'error: run 12 of hello has no step "nope"\n  Its steps are build/compile, test/unit, test/compile.\n',
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
    expect(stderr).toBe("note: run 12 of hello is not over yet; --follow shows what comes\n");
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

describe("artifacts and download", () => {
  const payload = Buffer.from("payload");
  const checksum = "239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5";
  const runWith = (shape: Parameters<FakeRun["artifact"]>[2] = {}) => {
    const run = finishedRun();
    run.artifact("build", "app", { checksum, size: payload.length, ...shape });
    return run;
  };

  it("lists them, exactly in a pipe", async () => {
    const run = runWith();
    const { stdout } = await execute(["artifacts", "12"], { runs: [run] });
    const id = run.detail.artifacts[0]?.id;
    expect(stdout).toBe(
      `NAME  TYPE    SIZE  ID${" ".repeat(36)}DIGEST\napp   binary     7  ${id}  sha256:${checksum}\n`,
    );
    expect(
      JSON.parse((await execute(["artifacts", "12", "-o", "json"], { runs: [run] })).stdout),
    ).toHaveLength(1);
    expect((await execute(["artifacts"])).stderr).toBe("note: this run has made no artifacts\n");
  });

  it("saves under the artifact's own name, a path, or in a directory", async () => {
    const plain = await execute(["download", "12/app"], { runs: [runWith()], payload });
    expect(plain.stdout).toBe(`app  7 B  sha256:${checksum}\n`);
    expect(plain.command.files.get("app")).toEqual(payload);
    const named = await execute(["download", "12/app", "--to", "x"], { runs: [runWith()], payload });
    expect(named.command.files.get("x")).toEqual(payload);
    const files = new Map([["out/", ""]]);
    const inside = await execute(
      ["download", "12/app", "--to", "out"],
      { runs: [runWith()], payload },
      { files },
    );
    expect(inside.command.files.get("out/app")).toEqual(payload);
  });

  it.each([
    [{ form: "tar" as const, path: "dist/" }, "app.tar"],
    [{ form: "image_ref" as const, path: null }, "app.json"],
    [{ form: "file" as const, path: "../../etc/passwd" }, "passwd"],
    [{ form: "file" as const, path: ".." }, "artifact"],
  ])("names what it saves by what it is: %o", async (metadata, name) => {
    const { command } = await execute(["download", "12/app"], { runs: [runWith({ metadata })], payload });
    expect([...command.files.keys()]).toEqual([name]);
  });

  it("writes bytes only to a stdout that is no terminal", async () => {
    const piped = await execute(["download", "12/app", "--to", "-"], { runs: [runWith()], payload });
    expect(piped.stdout).toBe("payload");
    const shown = await execute(
      ["download", "12/app", "--to", "-"],
      { runs: [runWith()] },
      { stdout: { isTTY: true } },
    );
    expect(shown.code).toBe(2);
    expect(shown.command.opened).toEqual([]);
  });

  it("keeps nothing of wrong bytes", async () => {
    const client = { runs: [runWith()], payload: Buffer.from("paylord") };
    const { code, stderr, command } = await execute(["download", "12/app"], client);
    expect(code).toBe(1);
    expect(stderr).toContain("error: the bytes received are not those of artifact app\n  Nothing was kept.");
    expect(command.files.size).toBe(0);
  });

  it("replaces a file only when told to", async () => {
    const files = new Map([["app", "mine"]]);
    const refused = await execute(["download", "12/app"], { runs: [runWith()], payload }, { files });
    expect(refused.code).toBe(2);
    expect(refused.command.files.get("app")).toBe("mine");
    const forced = await execute(
      ["download", "12/app", "--force"],
      { runs: [runWith()], payload },
      { files },
    );
    expect(forced.code).toBe(0);
    expect(forced.command.files.get("app")).toEqual(payload);
  });
});

describe("what is asked of a trigger", () => {
  it.each([
    [["run"], { kind: "directory", path: "/home/ada/hello", ref: null }],
    [["run", "../x", "--ref", "v1"], { kind: "directory", path: "/home/ada/x", ref: "v1" }],
    [["run", "/abs"], { kind: "directory", path: "/abs", ref: null }],
    [["run", "a:b"], { kind: "directory", path: "/home/ada/hello/a:b", ref: null }],
    [
      ["run", "https://h/r.git", "--ref", "v1.2"],
      { kind: "repository", url: "https://h/r.git", ref: "v1.2" },
    ],
    [["run", "git@h:team/r.git"], { kind: "repository", url: "git@h:team/r.git", ref: null }],
    [["run", "file:///r"], { kind: "repository", url: "file:///r", ref: null }],
    [["run", "ext::sh -c id"], { kind: "repository", url: "ext::sh -c id", ref: null }],
  ])("%j", async (argv, source) => {
    const client = createFakeClient({ runs: [finishedRun()] });
    await finish(start({ argv, client }));
    expect(client.triggered).toEqual([{ source, only: null, by: "ada" }]);
  });

  it("takes stages from --only, repeated or separated by commas", async () => {
    const client = createFakeClient({ runs: [finishedRun()] });
    await finish(start({ argv: ["run", "--only", "build,test", "--only", "deploy"], client }));
    expect(client.triggered[0]?.only).toEqual(["build", "test", "deploy"]);
  });
});

describe("exit codes", () => {
  it.each([
    ["config_invalid", 2],
    ["ref_not_found", 2],
    ["source_refused", 2],
    ["source_unavailable", 3],
    ["environment", 3],
    ["database_unavailable", 3],
    ["data_dir_unusable", 3],
    ["internal", 3],
  ] as const)("a trigger that ends in %s exits %i", async (code, exit) => {
    const onTrigger = () => {
      throw new Problem(code, "the fact", { remedy: "The remedy.", place: "somewhere" });
    };
    const result = await execute(["run"], { onTrigger });
    expect(result.code).toBe(exit);
    expect(result.stderr).toMatch(/^error: (something inside Shipinator went wrong: )?the fact\n/);
    expect(result.stderr).toContain("  The remedy.\n");
    expect(result.command.closed()).toBe(1);
  });

  it("a client that cannot be opened exits 3", async () => {
    const openClient = async () => {
      throw new Problem("database_unavailable", "Postgres does not answer");
    };
    expect(await execute(["list"], {}, { openClient })).toMatchObject({
      code: 3,
      stderr: "error: Postgres does not answer\n",
    });
  });

  it("shows the problems of the pipeline file as validate does, without a word before them", async () => {
    const onTrigger = () => {
      throw new Problem("config_invalid", "f.yaml:1:2: bad\n\nf.yaml:3:4: worse", { details: [{}, {}] });
    };
    expect(await execute(["run"], { onTrigger })).toMatchObject({
      code: 2,
      stdout: "",
      stderr: "f.yaml:1:2: bad\n\nf.yaml:3:4: worse\n",
    });
  });

  it("shows no stack trace to a person, and the whole of it to one who debugs", async () => {
    const onTrigger = () => {
      throw new TypeError("x is not a function\nmore", { cause: new Error("deeper") });
    };
    const quiet = await execute(["run", "-o", "json"], { onTrigger });
    expect(quiet.code).toBe(3);
    expect(quiet.stderr).toBe(
      "error: something inside Shipinator went wrong: x is not a function\n" +
        "  Set SHIPINATOR_LOG_LEVEL=debug and repeat the command to see the details.\n",
    );
    expect(JSON.parse(quiet.stdout)).toMatchObject({ error: { code: "internal" } });
    const loud = await execute(["run"], { onTrigger }, { environment: { SHIPINATOR_LOG_LEVEL: "debug" } });
    expect(loud.stderr).toMatch(/TypeError: x is not a function[\s\S]*caused by: Error: deeper/);
  });
});
