import { describe, expect, it } from "vitest";
import { Problem } from "../../../src/kernel/index.ts";
import { execute, finishedRun } from "./support/execute.ts";
import { createFakeClient } from "./support/fake-client.ts";
import { finish, start } from "./support/harness.ts";

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
    expect(result.stderr).toMatch(/^error: (An internal error occurred: )?the fact\n/);
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
      "error: An internal error occurred: x is not a function\n" +
        "  Repeat the command with SHIPINATOR_LOG_LEVEL=debug to see the details.\n",
    );
    expect(JSON.parse(quiet.stdout)).toMatchObject({ error: { code: "internal" } });
    const loud = await execute(["run"], { onTrigger }, { environment: { SHIPINATOR_LOG_LEVEL: "debug" } });
    expect(loud.stderr).toMatch(/TypeError: x is not a function[\s\S]*caused by: Error: deeper/);
  });
});
