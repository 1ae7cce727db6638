/** What the stages of a run share, and what they do not: files, artifacts, environment, time. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";

let world: World;
beforeAll(async () => {
  world = await World.prepared();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const threeAtOnce = { SHIPINATOR_LOCAL_SLOTS: "3", SHIPINATOR_PARALLEL_LIMIT: "3" };

/** Makes `mine` and waits, up to ten seconds, for `theirs`. */
const meet = (mine: string, theirs: string) =>
  `touch ${mine}; n=0; until [ -e ${theirs} ]; do n=$((n + 1)); [ $n -lt 200 ] || exit 9; sleep 0.05; done`;

describe("a Node package", () => {
  const packageFiles = (root: string) => ({
    "package.json": JSON.stringify({
      name: "greeter",
      version: "1.2.3",
      type: "module",
      bin: { greeter: "cli.js" },
      files: ["cli.js", "greet.js"],
    }),
    "greet.js": 'export const greet = (name) => "Hello, " + name;\n',
    "cli.js":
      '#!/usr/bin/env node\nimport { greet } from "./greet.js";\nconsole.log(greet(process.argv[2]));\n',
    "greet.test.js":
      'import { test } from "node:test";\nimport { greet } from "./greet.js";\ntest("greets", () => { if (greet("you") !== "Hello, you") throw new Error("no"); });\n',
    ".shipinator.yaml": `
build:
  steps:
    - name: pack
      run: |
        npm pack --silent
        mkdir -p out/deep && echo one >out/a && echo two >out/deep/b
      outputs:
        - { type: binary, name: package, path: "greeter-*.tgz" }
        - { type: manifest, name: notes, path: out }
    - name: name
      run: mkdir by-commit && echo "$SHIPINATOR_COMMIT" >by-commit/$SHIPINATOR_SHORT_COMMIT
      outputs:
        - { type: binary, name: named, path: "by-commit/{{ .short_commit }}" }
test:
  steps:
    - name: restored
      run: |
        ls greeter-1.2.3.tgz out/a out/deep/b by-commit/*
        [ ! -e node_modules ]
    - { name: here, parallel_group: pair, run: "${meet(`${root}/here`, `${root}/there`)}" }
    - { name: there, parallel_group: pair, run: "${meet(`${root}/there`, `${root}/here`)}" }
    - name: unit
      run: node --test --test-reporter=junit --test-reporter-destination=report.xml
      artifacts: [{ type: test_report, path: report.xml }]
deploy:
  artifact: package
  run: |
    ls -A
    cd "$SHIPINATOR_ARTIFACTS_DIR"
    find . -type f | sort
    cp package "$TMPDIR/package.tgz"
    npm install --offline --silent --prefix "${root}/installed" "$TMPDIR/package.tgz"
    "${root}/installed/node_modules/.bin/greeter" Shipinator
`,
  });

  it("is built, tested beside its artifact, and deployed without its source", async () => {
    const repository = world.repository("greeter", packageFiles(world.root));
    const { code, run, view, log } = await world.run([repository], { env: threeAtOnce });
    expect({ code, view: code === 0 ? "" : view }).toEqual({ code: 0, view: "" });
    expect(log("test/restored")).toContain("greeter-1.2.3.tgz");
    expect(log("deploy/deploy")).toBe(
      "named\nnotes\npackage\n./named\n./notes/a\n./notes/deep/b\n./package\nHello, Shipinator\n",
    );
    expect(run.artifacts.map(({ name, metadata }) => [name, metadata.form, metadata.path])).toEqual([
      ["notes", "tar", "out"],
      ["package", "file", "greeter-1.2.3.tgz"],
      ["named", "file", `by-commit/${world.git(repository, "rev-parse", "HEAD").slice(0, 12)}`],
      ["report.xml", "file", "report.xml"],
    ]);
  });
});

describe("a step that fails", () => {
  it("ends the run after its group, keeps reports, and says which, why, its last lines, and where the rest is", async () => {
    const directory = world.directory("fails", {
      ".shipinator.yaml": `
test:
  steps:
    - name: fails
      parallel_group: pair
      run: |
        for line in 1 2 3 4 5 6 7 8 9; do echo "line $line"; done
        echo '<testsuite/>' >report.xml
        echo "the true reason" >&2
        exit 7
      artifacts: [{ type: test_report, path: report.xml }]
    - name: beside
      parallel_group: pair
      run: n=0; until [ -e report.xml ]; do n=$((n + 1)); [ $n -lt 200 ] || exit 9; sleep 0.05; done; sleep 0.2; echo finished
    - { name: later, run: "touch ${world.root}/never" }
deploy:
  run: touch ${world.root}/never
`,
    });
    const { code, run, view } = await world.run([directory], { env: threeAtOnce });
    expect(code).toBe(1);
    expect(existsSync(join(world.root, "never"))).toBe(false);
    const steps = run.jobs.flatMap((job) => job.steps.map((step) => `${step.name} ${step.status}`));
    expect(steps).toEqual(["fails failed", "beside succeeded", "later skipped", "deploy skipped"]);
    expect(run).toMatchObject({ status: "failed", phase: "testing", failure_reason: "script_failed" });
    expect(run.jobs.map((job) => job.status)).toEqual(["failed", "skipped"]);
    expect(view).toContain("✗ test/fails: script_failed, exit status 7");
    expect(view).toContain("  | line 9\n  | the true reason\n");
    expect(view).toMatch(
      new RegExp(`whole log \\(.*\\): shipinator logs (?:fails#)?${run.number} --step test/fails`),
    );
    expect(view).toMatch(/✗ run \d+ of fails: failed \(script_failed\)/);
    const report = run.artifacts.find((artifact) => artifact.name === "report.xml");
    expect(readFileSync(report?.storage_path ?? "", "utf8")).toBe("<testsuite/>\n");
    const whole = await world.shipinator(["logs", run.id, "--step", "test/fails"]);
    expect(whole.stdout.split("\n")).toHaveLength(11);
  });

  it("is tried again as its file says: the whole job, in a fresh workspace", async () => {
    const directory = world.directory("retries", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: fresh, run: "[ ! -e once ] && touch once && echo fresh >>${world.root}/tries" }
    - name: second
      retry: { max: 2, on: [script_failed] }
      run: "[ -e ${world.root}/tried ] || { touch ${world.root}/tried; exit 3; }"
    - { name: third, run: "true" }
`,
    });
    const { code, run, view } = await world.run([directory]);
    expect(code).toBe(0);
    expect(readFileSync(join(world.root, "tries"), "utf8")).toBe("fresh\nfresh\n");
    expect(run.status).toBe("success");
    expect(run.jobs.map((job) => [job.attempt, job.status])).toEqual([
      [1, "failed"],
      [2, "succeeded"],
    ]);
    expect(view).toContain("attempt 2");
  });

  it("is not tried again for another reason than the file names", async () => {
    const directory = world.directory("no-retry", {
      ".shipinator.yaml":
        "build:\n  steps:\n    - { name: a, retry: { max: 2, on: [timed_out] }, run: exit 3 }\n",
    });
    const { code, run } = await world.run([directory]);
    expect(code).toBe(1);
    expect(run.jobs).toHaveLength(1);
  });

  it("by its time is timed_out, and nothing of it lives on", async () => {
    const directory = world.directory("slow", {
      ".shipinator.yaml":
        "build:\n  steps:\n    - { name: slow, timeout: 1s, run: 'trap \"\" TERM; echo begun; sleep 300 & sleep 300' }\n",
    });
    const { code, run, view } = await world.run([directory], { env: { SHIPINATOR_LOCAL_GRACE: "0s" } });
    expect(code).toBe(1);
    expect(view).toContain("timed_out");
    expect(view).toContain("the step ran longer than its timeout of 1 s");
    expect(run.failure_reason).toBe("timed_out");
    await world.quiet();
  });

  it("by a missing output has succeeded at nothing", async () => {
    const directory = world.directory("no-output", {
      ".shipinator.yaml":
        "build:\n  steps:\n    - { name: a, run: 'true', outputs: [{ type: binary, path: bin/app }] }\n",
    });
    const { code, view } = await world.run([directory]);
    expect(code).toBe(1);
    expect(view).toMatch(/artifact_missing/);
    expect(view).toContain("bin/app");
  });
});

describe("what a step finds around it", () => {
  it("is the allow-list and its own variables, never what else is in ours", async () => {
    const repository = world.repository("environment", {
      ".shipinator.yaml": `
build:
  steps:
    - name: show
      image: alpine:3
      env: { OWN: "{{ .pipeline }} #{{ .run_number }} {{ commit }}" }
      run: |
        echo 'left alone: {{ .commit }}'
        env | sort
        tr '\\0' '\\n' </proc/$PPID/environ
        [ ! -t 0 ] && cat
        ls /proc/self/fd | wc -l
`,
    });
    const env = {
      AWS_SECRET_ACCESS_KEY: "hidden-1",
      GITHUB_TOKEN: "hidden-2",
      NODE_OPTIONS: "--no-warnings",
      DATABASE_URL: "postgres://hidden-3@db.test/app",
      SHIPINATOR_PARALLEL_LIMIT: "7",
      GOPROXY: "https://proxy.test",
    };
    const answer = await world.run([repository], { env });
    expect(answer.code).toBe(0);
    const commit = world.git(repository, "rev-parse", "HEAD");
    const log = answer.log("build/show");
    expect(log).not.toContain("hidden-");
    expect(log).not.toContain("NODE_OPTIONS");
    expect(log).not.toContain("SHIPINATOR_PARALLEL_LIMIT");
    expect(log).not.toContain("SHIPINATOR_DATA_DIR");
    const { number } = answer.run;
    for (const line of [
      "left alone: {{ .commit }}",
      `OWN=environment #${number} ${commit}`,
      "CI=true",
      `SHIPINATOR_COMMIT=${commit}`,
      "SHIPINATOR_BRANCH=main",
      "SHIPINATOR_PIPELINE=environment",
      `HOME=${world.home}`,
      "GOPROXY=https://proxy.test",
    ])
      expect(log.split("\n")).toContain(line);
    expect(answer.view).toMatch(/note: step show: .*image/);
  });

  it("--only runs the stages that are named, and says what cannot stand alone", async () => {
    const directory = world.directory("only", {
      ".shipinator.yaml": `
build: { steps: [{ name: b, run: echo >b, outputs: [{ type: binary, path: b }] }] }
test: { steps: [{ name: t, run: "echo t" }] }
deploy: { artifact: b, run: "echo d" }
`,
    });
    const stagesOf = async (only: string) => {
      const { run } = await world.run([directory, "--only", only]);
      return run.jobs.map((job) => job.job_type);
    };
    expect(await stagesOf("test")).toEqual(["test"]);
    expect(await stagesOf("deploy,build")).toEqual(["build", "deploy"]);
    const alone = await world.shipinator(["run", directory, "--only", "deploy"]);
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining("--only build,deploy") });
    const unknown = await world.shipinator(["run", directory, "--only", "tests"]);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('"tests"') });
  });
});

it("a run whose number other pipelines have too is named by pipeline and number", async () => {
  const [one, two] = ["one", "two"].map((name) =>
    world.directory(name, { ".shipinator.yaml": 'build: { steps: [{ name: b, run: "true" }] }\n' }),
  );
  const first = await world.run([one ?? ""]);
  const second = await world.run([two ?? ""]);
  expect(second.run.number).toBe(first.run.number);
  expect(second.view).toContain("More  shipinator logs two#1 ");
  expect((await world.status("one#1")).id).toBe(first.run.id);
  expect((await world.status("two#1")).id).toBe(second.run.id);
  const vague = await world.shipinator(["status", "1"]);
  expect(vague.code).toBe(2);
  expect(vague.stderr).toMatch(
    /names more than one run\.\n +Say which, if need be by its id: two#1 \(\S+\), one#1 \(\S+\)[,\n]/,
  );
  expect((await world.shipinator(["status", "three#1"])).stderr).toContain('There is no run "three#1"');
});
