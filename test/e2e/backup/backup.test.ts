/** Everything of a data directory in one file, and back in an empty one: by the real command. */
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";

const hello = {
  ".shipinator.yaml": `
build:
  steps:
    - name: compile
      run: |
        printf 'built by %s\\n' "$SHIPINATOR_RUN_NUMBER" >app
        head -c 5000000 /dev/urandom >big
        echo compiled
      outputs:
        - { type: binary, path: app }
        - { type: binary, path: big }
test:
  steps:
    - { name: look, run: "grep built app" }
`,
};

let source: World;
let target: World;
beforeEach(async () => {
  source = await World.prepared();
  target = new World();
});
afterEach(async () => {
  await target[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
});

/** Without what the place gives it. */
const placeless = (run: RunDetail, { dataDir }: World): unknown =>
  JSON.parse(JSON.stringify(run).replaceAll(dataDir, "DATA"));

async function downloaded(world: World, artifact: string): Promise<Buffer> {
  const to = join(world.root, "downloaded");
  await world.succeed(["download", artifact, "--to", to, "--force"]);
  return readFileSync(to);
}

/** A begin is recorded a moment after it. */
async function untilRecorded(world: World): Promise<void> {
  for (;;) {
    const { jobs } = await world.status("1");
    const steps = jobs.flatMap((job) => job.steps);
    if (steps.some(({ executions }) => executions.some(({ status }) => status === "running"))) return;
  }
}

describe("backup and restore", () => {
  it("bring back runs, logs and artifacts to the byte, and the next number is the next one", async () => {
    const repository = source.repository("hello", hello);
    for (let run = 0; run < 2; run++) expect((await source.run([repository])).code).toBe(0);
    const { id } = (await source.status("1")).jobs[0]?.steps[0]?.executions[0] ?? { id: "" };
    const times = join("logs", id.slice(15, 17), id, "times");
    writeFileSync(join(source.dataDir, times), "9 1893456000000\n");
    const file = join(source.root, "backup.tar");
    expect((await source.succeed(["backup", file])).stdout).toMatch(
      /backup\.tar {2}[\d.]+ MiB {2}4 artifacts, 4 logs\n$/,
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const told = JSON.parse((await target.succeed(["restore", file, "-o", "json"])).stdout);
    expect(told).toMatchObject({ data_directory: target.dataDir, artifacts: 4, logs: 4, unfinished: 0 });
    for (const number of ["1", "2"])
      expect(placeless(await target.status(number), target)).toEqual(
        placeless(await source.status(number), source),
      );
    expect(await target.log("2", "compile")).toBe("compiled\n");
    for (const name of ["1/app", "2/big"])
      expect((await downloaded(target, name)).equals(await downloaded(source, name))).toBe(true);
    expect(readFileSync(join(target.dataDir, times), "utf8")).toBe("9 1893456000000\n");
    const third = await target.run([repository]);
    expect(third).toMatchObject({ code: 0, run: { number: 3 } });
  });

  it("keep the tree that a run was of, though its directory is gone", async () => {
    const directory = source.directory("gone", hello);
    expect((await source.run([directory])).code).toBe(0);
    rmSync(directory, { recursive: true });
    const file = join(source.root, "backup.tar");
    await source.succeed(["backup", file]);
    await target.succeed(["restore", file]);
    const mirrors = join(target.dataDir, "mirrors");
    const [mirror = ""] = readdirSync(mirrors);
    const [tree = ""] = readdirSync(join(mirrors, mirror, "verbatim"));
    expect(target.git(join(mirrors, mirror), "ls-tree", "--name-only", tree)).toBe(".shipinator.yaml");
    target.git(join(mirrors, mirror), "fsck", "--full", "--strict");
  });

  it("go through a pipe", async () => {
    const repository = source.repository("hello", hello);
    await source.run([repository]);
    const file = join(source.root, "piped.tar");
    const stdout = openSync(file, "w");
    expect((await source.shipinator(["backup", "-"], { stdout })).code).toBe(0);
    closeSync(stdout);
    const { code } = await target.shipinator(["restore", "-"], { input: readFileSync(file) });
    expect(code).toBe(0);
    expect(await target.log("1", "look")).toMatch(/^built by 1/);
  });

  it("carry nothing on that was under way: what runs goes on where it ran, and only there", async () => {
    const ledger = join(source.root, "ledger");
    const directory = source.directory("slow", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: waits, run: "echo begun >>${ledger}; while [ ! -e ${source.root}/go ]; do sleep 0.02; done; echo ended >>${ledger}" }
    - { name: after, run: "echo after >>${ledger}" }
`,
    });
    const running = source.start(["run", directory]);
    await eventually(() => existsSync(ledger));
    const file = join(source.root, "backup.tar");
    await source.succeed(["backup", file]);
    const { stderr } = await target.shipinator(["restore", file]);
    expect(stderr).toContain("1 run had not ended at the time of the backup");
    // Whoever carries comes first: it ends the run, and starts nothing of it.
    const resumed = await target.shipinator(["resume"]);
    expect(resumed.code).toBe(1);
    const ended = await target.status("1");
    expect(["canceled", "failed"]).toContain(ended.status);
    expect(ended.jobs[0]?.steps.map(({ status }) => status)).not.toContain("succeeded");
    expect(readFileSync(ledger, "utf8")).toBe("begun\n");
    writeFileSync(join(source.root, "go"), "");
    expect((await running.ended).code).toBe(0);
    expect(readFileSync(ledger, "utf8")).toBe("begun\nended\nafter\n");
  });

  it("leave a deploy that had begun unknown, for a person to settle, and do not repeat it", async () => {
    const ledger = join(source.root, "ledger");
    const directory = source.directory("deploys", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: s, run: "echo x >app", outputs: [{ type: binary, path: app }] }
deploy:
  artifact: app
  run: "echo deploy >>${ledger}; while [ ! -e ${source.root}/go ]; do sleep 0.02; done"
`,
    });
    const running = source.start(["run", directory]);
    await eventually(() => existsSync(ledger));
    await untilRecorded(source);
    const file = join(source.root, "backup.tar");
    await source.succeed(["backup", file]);
    await target.succeed(["restore", file]);
    await target.shipinator(["resume"]);
    expect(await target.status("1")).toMatchObject({ status: "failed", failure_reason: "deploy_unknown" });
    expect((await target.succeed(["deployments"])).stdout).toContain("unknown");
    writeFileSync(join(source.root, "go"), "");
    expect((await running.ended).code).toBe(0);
    expect(readFileSync(ledger, "utf8")).toBe("deploy\n");
  });

  it("say what is damaged, and keep the rest", async () => {
    const repository = source.repository("hello", hello);
    const { run } = await source.run([repository]);
    const [app, big] = ["app", "big"].map((name) => run.artifacts.find((one) => one.name === name));
    if (app === undefined || big === undefined) throw new Error("the run has not its artifacts");
    chmodSync(app.storage_path, 0o600);
    writeFileSync(app.storage_path, "other bytes");
    rmSync(big.storage_path);
    const file = join(source.root, "backup.tar");
    const { code, stderr } = await source.shipinator(["backup", file]);
    expect(code).toBe(0);
    expect(stderr).toContain(`the bytes of artifact ${app.id} are not those that were stored`);
    expect(stderr).toContain(`artifact ${big.id} is not in the store: its payload is missing`);
    await target.succeed(["restore", file]);
    expect((await target.shipinator(["download", "1/app", "--to", "-"])).stderr).toContain("artifact");
    expect(await target.log("1", "look")).toMatch(/^built by 1/);
  });
});

describe("a backup is refused", () => {
  it("where there is nothing, and over a file that is there", async () => {
    const absent = await target.shipinator(["backup", join(target.root, "b.tar")]);
    expect(absent).toMatchObject({ code: 2, stderr: expect.stringContaining("does not exist") });
    const taken = join(source.root, "taken");
    writeFileSync(taken, "mine");
    expect(await source.shipinator(["backup", taken])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("already exists"),
    });
    expect(readFileSync(taken, "utf8")).toBe("mine");
    await source.succeed(["backup", taken, "--force"]);
    expect(statSync(taken).size).toBeGreaterThan(1000);
  });
});

describe("a restore is refused", () => {
  it("into a data directory that has something in it, which stays", async () => {
    const file = join(source.root, "backup.tar");
    await source.succeed(["backup", file]);
    mkdirSync(target.dataDir);
    writeFileSync(join(target.dataDir, "mine"), "mine");
    expect(await target.shipinator(["restore", file])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is not empty"),
    });
    expect(readFileSync(join(target.dataDir, "mine"), "utf8")).toBe("mine");
  });

  it("where another one was cut short, as is every other command", async () => {
    const file = join(source.root, "backup.tar");
    await source.succeed(["backup", file]);
    const restoring = target.start(["restore", "-"], { input: null });
    restoring.child.stdin?.write(readFileSync(file).subarray(0, 10_000));
    await eventually(() => existsSync(join(target.dataDir, "restoring")));
    const during = await target.shipinator(["list"]);
    expect(during).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("A restore of a backup into this directory"),
    });
    restoring.child.kill("SIGKILL");
    await restoring.ended;
    expect(await target.shipinator(["run", source.directory("any", hello)])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("remove the directory and restore again"),
    });
  });
});
