/** What a person may get wrong: a clear sentence, the right exit code, no stack trace, and nothing lost. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { startEmbeddedPostgres } from "../../../src/postgres/index.ts";
import type { RunSummary } from "../../../src/services/index.ts";
import { openDatabase } from "../../../src/store/index.ts";
import { type Answer, type CommandOptions, World } from "../../support/cli.ts";
import { databaseIsOurs } from "../../support/external-database.ts";
import { thisProcess } from "../../support/postgres-server.ts";
import { ordinaryAccount } from "../postgres/processes.ts";

let world: World;
beforeAll(async () => {
  world = await World.prepared();
});
afterAll(async () => {
  // What was said "no" to left no mark: a good run is as good as ever.
  const good = world.directory("good", { ".shipinator.yaml": stepOf("true") });
  expect((await world.shipinator(["run", good])).code).toBe(0);
  await world[Symbol.asyncDispose]();
});

const stepOf = (script: string, more = "") =>
  `build:\n  steps:\n    - name: step\n      run: ${JSON.stringify(script)}\n${more}`;

/** One sentence on stderr, perhaps a place and a remedy, and no trace. */
function expectSentence({ stderr, stdout }: Answer, pattern: RegExp): void {
  expect(stderr).toMatch(pattern);
  expect(stderr.split("\n").length).toBeLessThanOrEqual(5);
  expect(`${stderr}${stdout}`).not.toMatch(/^\s+at .*[:(].*\d+:\d+\)?$/m);
  expect(stderr).not.toContain("An internal error occurred");
}

/** Refused before a run is made. */
async function refused(
  argv: readonly string[],
  pattern: RegExp,
  options: CommandOptions = {},
): Promise<void> {
  const answer = await world.shipinator(argv, options);
  expect({ argv, code: answer.code }).toEqual({ argv, code: 2 });
  expectSentence(answer, pattern);
}

describe("a run that is refused", () => {
  it("leaves no trace in the list", async () => {
    const empty = world.directory("empty", {});
    await refused(["run", empty], /^error: there is no \.shipinator\.yaml in .*\n {2}.*shipinator init\n$/);
    const misspelled = world.directory("misspelled", { ".shipinator.yml": stepOf("true") });
    await refused(
      ["run", misspelled],
      /^error: .* has \.shipinator\.yml, and .* \.shipinator\.yaml\n {2}rename it: git mv \.shipinator\.yml \.shipinator\.yaml\n$/,
    );
    await refused(["run", join(world.root, "nowhere")], /^error: .*nowhere/);
    await refused(["run", ""], /^error: The path to run is empty./);
    const file = join(world.directory("some", { file: "x" }), "file");
    await refused(["run", file], /^error: .*file/);

    const repository = world.repository("refs", { ".shipinator.yaml": stepOf("true") });
    await refused(["run", repository, "--ref", "v9"], /^error: .*v9/);
    await refused(["run", repository, "--ref", "-x"], /^error: .*-x/);
    await refused(["run", repository, "--ref", "a..b"], /^error: .*a\.\.b/);
    const newborn = world.directory("newborn", { ".shipinator.yaml": stepOf("true") });
    world.git(newborn, "init", "--quiet");
    await refused(["run", newborn, "--ref", "main"], /^error: .*main/);
    await refused(["run", empty, "--ref", "main"], /^error: /);

    const bare = join(world.root, "zero.git");
    world.git(world.root, "init", "--quiet", "--bare", bare);
    const env = { SHIPINATOR_GIT_ALLOW_FILE_URLS: "true" };
    await refused(["run", `file://${bare}`], /^error: .*no commits/, { env });
    await refused(["run", `file://${bare}`, "--ref", "main"], /^error: .*no commits/, { env });

    await refused(["status", "7"], /^error: There is no run "7"/);
    await refused(["logs", "nope"], /^error: There is no run "nope"/);
    await refused(["download", "1/none"], /^error: /);
    expect(JSON.parse((await world.shipinator(["list", "-o", "json"])).stdout)).toEqual([]);
  });

  it("names file, line and column of what the file says wrong", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["build:\n  steps:\n\t- name: a\n", /^\.shipinator\.yaml:3:1: .*tab/],
      ["build:\n  steps:\n    - { name: a, run: x, tests: 1 }\n", /^\.shipinator\.yaml:3:26: /],
      [stepOf("x", "      outputs: [{ type: binary, path: ../up }]\n"), /^\.shipinator\.yaml:5:39: .*"\.\."/],
      [
        stepOf("x", '      outputs: [{ type: binary, path: "a\\nb" }]\n'),
        /^\.shipinator\.yaml:5:39: .*newline/,
      ],
      [
        stepOf("x", `      outputs: [{ type: binary, name: a, path: ${"p".repeat(4_000)} }]\n`),
        /^\.shipinator\.yaml:5:48: .*(long|characters)/,
      ],
      [
        stepOf("x", `      env: { BIG: ${"v".repeat(200 * 1024)} }\n`),
        /^\.shipinator\.yaml:5:19: .*204800 bytes.* 131071/,
      ],
      ["\0", /^\.shipinator\.yaml:1:1: /],
      ["", /^\.shipinator\.yaml:1:1: /],
    ];
    for (const [text, pattern] of cases) {
      const directory = world.directory("wrong", { ".shipinator.yaml": text });
      const { code, stderr } = await world.shipinator(["run", directory]);
      expect({ pattern, code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(pattern) });
      expect(stderr.split("\n").every((line) => line.length < 500)).toBe(true);
    }
  });

  it("says which directory this account may not read", async () => {
    // Root may read everything, so it lends another account's eyes; without one that can reach this checkout, its own.
    const account = ordinaryAccount();
    await using theirs = new World();
    const directory = theirs.directory("locked", { ".shipinator.yaml": stepOf("true"), "inner/file": "x" });
    if (account !== undefined) execFileSync("chown", ["-R", `${account.uid}:${account.gid}`, theirs.root]);
    chmodSync(join(directory, "inner"), 0);
    const answer = await theirs.shipinator(["run", directory], account === undefined ? {} : { as: account });
    const blind = account !== undefined || process.getuid?.() !== 0;
    expect(answer.code).toBe(blind ? 3 : 0);
    if (blind) expectSentence(answer, /^error: .*inner/);
  });

  it("in JSON the error is a document", async () => {
    const { code, stdout } = await world.shipinator(["run", world.directory("void", {}), "-o", "json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "config_invalid", remedy: expect.any(String) },
    });
  });
});

describe("a data directory", () => {
  const good = () => world.directory("good", { ".shipinator.yaml": stepOf("true") });
  const withData = (path: string) => ({ env: { SHIPINATOR_DATA_DIR: path } });

  it("that is a file, or may not be made, is an error of the environment", async () => {
    const file = join(world.directory("taken", { file: "x" }), "file");
    const nowhere = "/proc/self/shipinator";
    for (const path of [file, join(file, "below"), nowhere]) {
      for (const argv of [["run", good()], ["list"]]) {
        const answer = await world.shipinator(argv, withData(path));
        expect({ path, argv, code: answer.code }).toEqual({ path, argv, code: 3 });
        expectSentence(answer, /^error: .*\n/);
        expect(answer.stderr).toContain("SHIPINATOR_DATA_DIR");
      }
    }
  });

  it("without rights", async () => {
    const parent = world.directory("readonly", {});
    chmodSync(parent, 0o555);
    const answer = await world.shipinator(["run", good()], withData(join(parent, "data")));
    if (process.getuid?.() !== 0) {
      expect(answer.code).toBe(3);
      expectSentence(answer, /^error: .*(permission|EACCES)/i);
    }
    chmodSync(parent, 0o755);
  });

  const itOfOurs = databaseIsOurs ? it : () => {};
  itOfOurs("of a newer version is refused, and untouched", async () => {
    await using newer = await World.prepared();
    {
      await using server = await startEmbeddedPostgres({
        dataDir: newer.dataDir,
        environment: thisProcess(),
        clock: systemClock,
        log: silentLogger,
      });
      await using database = openDatabase(server.connection, {
        max: 1,
        applicationName: "test",
        log: silentLogger,
      });
      await database.execute("insert into pgmigrations (name, run_on) values ('9999_of_tomorrow', now())");
    }
    for (const argv of [["run", good()], ["list"]]) {
      const answer = await newer.shipinator(argv);
      expect(answer.code).toBe(3);
      expectSentence(answer, /^error: .*newer Shipinator \(9999_of_tomorrow\)/);
    }
  });

  itOfOurs(
    "of another machine is refused while that one lives, and taken over when it is silent",
    async () => {
      await using other = await World.prepared();
      const owner = join(other.dataDir, "owner.json");
      const mark = (heartbeat: Date) =>
        writeFileSync(
          owner,
          JSON.stringify({
            hostname: "elsewhere",
            machine_id: "0123456789abcdef0123456789abcdef",
            boot_id: "11111111-2222-3333-4444-555555555555",
            pid_namespace: "pid:[4026531836]",
            postgres_major: "18",
            heartbeat: heartbeat.toISOString(),
          }),
        );
      mark(new Date());
      for (const argv of [["run", good()], ["list"]]) {
        const answer = await other.shipinator(argv);
        expect(answer.code).toBe(3);
        expectSentence(answer, /^error: .*"elsewhere"/);
      }
      expect(JSON.parse(readFileSync(owner, "utf8")).hostname).toBe("elsewhere");
      mark(new Date(Date.now() - 3_600_000));
      expect((await other.shipinator(["run", good()])).code).toBe(0);
      const runs: readonly RunSummary[] = JSON.parse((await other.shipinator(["list", "-o", "json"])).stdout);
      expect(runs).toHaveLength(1);
    },
  );

  it("whose mirrors were removed is made anew", async () => {
    expect((await world.shipinator(["run", good()])).code).toBe(0);
    rmSync(join(world.dataDir, "mirrors"), { recursive: true });
    rmSync(join(world.dataDir, "work"), { recursive: true });
    mkdirSync(join(world.dataDir, "mirrors"));
    expect((await world.shipinator(["run", good()])).code).toBe(0);
  });
});

it("a disk without room: the run waits and says for what, and Ctrl-C ends it", async () => {
  const directory = world.directory("room", { ".shipinator.yaml": stepOf("true") });
  const running = world.start(["run", directory], { env: { SHIPINATOR_LOCAL_MIN_FREE_BYTES: "900TiB" } });
  await running.said(/^note: step step waits: only \d+ bytes are free in \S+, and \d+ are kept free;/m);
  running.child.kill("SIGINT");
  expect(await running.ended).toMatchObject({ code: 130, stderr: "" });
  expect((await world.status()).status).toBe("canceled");
});
