import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { writeData } from "../../../src/cli/context.ts";
import { createMemoryWriter, finish, start } from "./support/harness.ts";

async function execute(argv: readonly string[], files: Readonly<Record<string, string>> = {}, stdin = "") {
  const command = start({ argv, files: new Map(Object.entries(files)), stdin });
  const code = await finish(command);
  return { code, stdout: command.stdout.text(), stderr: command.stderr.text(), files: command.files };
}

describe("usage", () => {
  it.each([["--version"], ["-V"], ["version"]])("%s prints the version", async (word) => {
    expect(await execute([word])).toMatchObject({ code: 0, stdout: "1.2.3\n", stderr: "" });
  });

  it("--help shows the commands and examples on stdout, within 80 columns", async () => {
    const { code, stdout, stderr } = await execute(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const name of [
      "run",
      "resume",
      "validate",
      "init",
      "list",
      "status",
      "logs",
      "artifacts",
      "download",
    ])
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    expect(stdout).toContain("Examples:\n");
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("shows the help of one command", async () => {
    expect((await execute(["run", "--help"])).stdout).toContain("Usage: shipinator run [options] [target]");
    expect((await execute(["help", "logs"])).stdout).toContain("--follow");
  });

  it.each([
    [["help", "pipeline", "add"], "Usage: shipinator pipeline add [options] <repository>"],
    [["help", "pipeline"], "Usage: shipinator pipeline [options] [command]"],
    [["help", "token", "ls"], "Usage: shipinator token list|ls [options]"],
    [["help", "help"], "Usage: shipinator help [options] [command...]"],
    [["help"], "Usage: shipinator [options] [command]"],
  ])("%j shows that command's help", async (argv, usage) => {
    const { code, stdout, stderr } = await execute(argv);
    expect([code, stdout.split("\n")[0], stderr]).toEqual([0, usage, ""]);
  });

  it.each([
    [["list", "--statsu"], "See: shipinator list --help"],
    [["pipeline", "add"], "See: shipinator pipeline add --help"],
    [["token", "create", "ann", "--scope", "root"], "See: shipinator token create --help"],
    [["secret", "sett", "A"], "See: shipinator secret --help"],
    [["help", "pipeline", "ad"], "See: shipinator pipeline --help"],
    [["rnu"], "See: shipinator --help"],
  ])("the error of %j names that command's help", async (argv, see) => {
    const { code, stderr } = await execute(argv);
    expect([code, stderr.trimEnd().split("\n").at(-1)]).toEqual([2, see]);
  });

  it.each([
    [["-o", "json", "validate"]],
    [["--output=json", "validate"]],
    [["-ojson", "validate"]],
    [["--output", "json", "validate", "--", ".shipinator.yaml"]],
  ])("%j takes the options of many commands also before the command", async (argv) => {
    expect(await execute(argv, { ".shipinator.yaml": good })).toEqual(
      expect.objectContaining({ code: 0, stdout: "[]\n", stderr: "" }),
    );
  });

  it.each([[["--server"]], [["--server", "https://ci.example"]], [["--token", "x", "lst"]]])(
    "%j is refused with exit 2",
    async (argv) => {
      expect(await execute(argv)).toMatchObject({ code: 2, stdout: "" });
    },
  );

  it("tells a program that asked for YAML of an error in YAML", async () => {
    for (const argv of [
      ["validate", "nowhere", "-o", "yaml"],
      ["list", "--statsu", "-o", "yaml"],
    ]) {
      const { code, stdout } = await execute(argv);
      expect([code, parse(stdout)]).toEqual([
        2,
        { error: expect.objectContaining({ message: expect.any(String) }) },
      ]);
    }
  });

  it("says where an answer has no names", async () => {
    const out = createMemoryWriter();
    await writeData({ out, format: "name" }, [{ id: "a", name: "b" }, { name: "c" }]);
    expect(out.text()).toBe("a\nc\n");
    await expect(writeData({ out, format: "name" }, { reencrypted: 1 })).rejects.toThrow("has no names");
  });

  it.each([
    [["rnu"], "error: unknown command 'rnu'\n(Did you mean run?)\n"],
    [["list", "--statsu", "failed"], "error: unknown option '--statsu'\n(Did you mean --status?)\n"],
    [["list", "--status", "done"], "Allowed choices are pending, running, success, failed, canceled."],
    [["list", "--limit", "0"], "It must be a whole number from 1 to 999999."],
    [["list", "--limit", "1e3"], "It must be a whole number from 1 to 999999."],
    [["secret", "sett", "A"], "error: unknown command 'sett'\n"],
    [["run", "a", "b"], "error: too many arguments for 'run'. Expected 1 argument but got 2"],
    [["run", "--ref"], "error: option '--ref <ref>' argument missing\n"],
    [["run", "-o", "xml"], "Allowed choices are table, json, yaml, name."],
    [["run", "--only", "biuld"], 'error: --only names an unknown stage: "biuld".\n'],
    [["run", ""], "error: The path to run is empty.\n"],
    [["download"], "error: missing required argument 'artifact'\n"],
  ])("%j is refused with exit 2", async (argv, message) => {
    const { code, stdout, stderr } = await execute(argv);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("without a command shows what there is, and exits 2", async () => {
    const { code, stdout, stderr } = await execute([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: shipinator");
  });

  it.each([
    [["list", "--status", "odd", "-o", "json"], /^option '--status <status>' argument 'odd' is invalid/],
    [["status", "--output=json", "--frob"], /^unknown option '--frob'/],
    [["run", "a", "b", "--output", "json"], /^too many arguments/],
  ])("%j is an error in JSON too", async (argv, message) => {
    const { code, stdout, stderr } = await execute(argv);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: "usage",
        message: expect.stringMatching(message),
        place: null,
        remedy: null,
        details: null,
      },
    });
    expect(stderr).toMatch(/^error: /);
  });
});

const good = "build:\n  steps:\n    - name: a\n      run: make\n";
const bad = "build:\n  steps:\n    - name: a\n      rum: make\n";

describe("validate", () => {
  it("accepts the file of this directory, a named one, a directory's, and standard input", async () => {
    expect(await execute(["validate"], { ".shipinator.yaml": good })).toMatchObject({
      code: 0,
      stdout: "✓ .shipinator.yaml is valid\n",
    });
    expect((await execute(["validate", "x.yaml"], { "x.yaml": good })).code).toBe(0);
    expect((await execute(["validate", "d"], { "d/": "", "d/.shipinator.yaml": good })).code).toBe(0);
    expect(await execute(["validate", "-"], {}, good)).toMatchObject({
      code: 0,
      stdout: "✓ <stdin> is valid\n",
    });
  });

  it("shows each problem with its place, and counts them", async () => {
    const { code, stdout, stderr } = await execute(["validate"], { ".shipinator.yaml": bad });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^\.shipinator\.yaml:4:7: Unknown key "rum".*Did you mean "run"\?/);
    expect(stderr).toMatch(/\n\n1 problem in \.shipinator\.yaml\n$/);
  });

  it("gives the problems as an array", async () => {
    const invalid = await execute(["validate", "-o", "json"], { ".shipinator.yaml": bad });
    expect(invalid.code).toBe(2);
    expect(JSON.parse(invalid.stdout)).toMatchObject([
      { path: ".shipinator.yaml", line: 4, column: 7, end_column: 10, suggestion: "run" },
    ]);
    const valid = await execute(["validate", "-o", "json"], { ".shipinator.yaml": good });
    expect(valid).toMatchObject({ code: 0, stdout: "[]\n" });
  });

  it("says where there is no pipeline file, and offers init", async () => {
    expect(await execute(["validate"])).toMatchObject({
      code: 2,
      stderr: "error: This directory has no .shipinator.yaml.\n  Create one with: shipinator init\n",
    });
    expect((await execute(["validate", "nope.yaml"])).stderr).toBe(
      "error: The file or directory nope.yaml does not exist.\n",
    );
  });

  it("names a pipeline file that ends in .yml", async () => {
    expect(await execute(["validate"], { ".shipinator.yml": good })).toMatchObject({
      code: 2,
      stderr:
        "error: This directory has .shipinator.yml, but the pipeline file must be called .shipinator.yaml.\n  Rename it: git mv .shipinator.yml .shipinator.yaml\n",
    });
  });

  it("reads no more of a file than the language allows", async () => {
    const { code, stderr } = await execute(["validate"], {
      ".shipinator.yaml": `# ${"x".repeat(10_000_000)}`,
    });
    expect(code).toBe(2);
    expect(stderr).toContain("256 KiB");
  });
});

describe("init", () => {
  it("writes a file that validate accepts, and says what it saw and what comes next", async () => {
    const manifest = JSON.stringify({ name: "hello", scripts: { test: "node --test" } });
    const { code, stdout, files } = await execute(["init"], { "package.json": manifest });
    expect(code).toBe(0);
    expect(stdout).toBe(`✓ Wrote .shipinator.yaml.
Based on package.json.

Next:
  shipinator validate   check the file
  shipinator run
`);
    const text = String(files.get(".shipinator.yaml"));
    expect(text).toContain("npm");
    expect((await execute(["validate"], { ".shipinator.yaml": text })).code).toBe(0);
  });

  it("never writes over a file that is there, unless told to", async () => {
    const refused = await execute(["init"], { ".shipinator.yaml": "mine" });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("error: .shipinator.yaml already exists.\n");
    expect(refused.files.get(".shipinator.yaml")).toBe("mine");
    const below = await execute(["init", "a b"], { "a b/": "", "a b/.shipinator.yaml": "mine" });
    expect(below.stderr).toContain("shipinator init 'a b' --force\n");
    const forced = await execute(["init", "--force"], { ".shipinator.yaml": "mine" });
    expect(forced.code).toBe(0);
    expect(String(forced.files.get(".shipinator.yaml"))).not.toBe("mine");
  });

  it("refuses to write beside a file that ends in .yml", async () => {
    for (const argv of [["init"], ["init", "--force"]]) {
      const refused = await execute(argv, { ".shipinator.yml": "mine" });
      expect(refused).toMatchObject({
        code: 2,
        stderr:
          "error: This directory has .shipinator.yml, but the pipeline file must be called .shipinator.yaml.\n  Rename it: git mv .shipinator.yml .shipinator.yaml\n",
      });
      expect(refused.files.has(".shipinator.yaml")).toBe(false);
    }
  });

  it("refuses what is no directory", async () => {
    expect((await execute(["init", "nope"])).stderr).toBe("error: The directory nope does not exist.\n");
    expect((await execute(["init", "f"], { f: "" })).stderr).toContain("error: f is not a directory.\n");
  });
});
