import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobSpec } from "../../../src/domain/index.ts";
import { makeWorld, type World } from "./world.ts";

let world: World;
let job: JobSpec;
beforeAll(async () => {
  world = makeWorld();
  job = await world.open();
});
afterAll(() => world[Symbol.asyncDispose]());

describe("what a step gets", () => {
  it("the workspace as its directory, shared by the steps of the job", async () => {
    expect(await world.run(job, "cat README; pwd; echo made >by-first")).toMatchObject({
      exitCode: 0,
      log: `checked out\n${world.path(job, "workspace")}\n`,
    });
    expect((await world.run(job, "cat by-first")).log).toBe("made\n");
  });

  it("no repository but its own", async () => {
    await world.run(job, ":");
    execFileSync("git", ["init", "-q", world.directory]);
    const { log } = await world.run(job, "git rev-parse --show-toplevel 2>/dev/null || echo none");
    expect(log).toBe("none\n");
  });

  it("an environment of allow-list, mark, CI, TMPDIR and the plan's, and nothing else", async () => {
    const { log } = await world.run(job, "env | cut -d= -f1 | sort; echo $TMPDIR", {
      env: { GREETING: "hello" },
    });
    const names =
      "CI GIT_CEILING_DIRECTORIES GREETING HOME LANG PATH PWD SHIPINATOR_EXECUTION_ID SHIPINATOR_WORKER TMPDIR _";
    const lines = log.trim().split("\n");
    expect(lines.pop()).toBe(world.path(job, "tmp"));
    expect(lines.filter((name) => name !== "_").join(" ")).toBe(names.replace(" _", ""));
  });

  it("every byte of its environment, whatever the shell would make of it", async () => {
    const nasty = 'it\'s "$HOME" `id` \\ !\n#end\n#exit 0\n\ttab é 中 \u0001 ';
    const { log, exitCode } = await world.run(job, 'printf %s "$NASTY"; exit 5', {
      env: { NASTY: nasty, dir: "x", IFS: "0", log: "l", step: "s", "2": "" } as never,
    });
    expect([exitCode, log]).toEqual([null, ""]); // a name that is none: said below, nothing begun
    const good = await world.run(job, 'printf %s "$NASTY"; exit 5', {
      env: {
        NASTY: nasty,
        IFS: "0",
        log: "l",
        step: "s",
        state: "t",
        cap: "1",
        pos: "2",
        ended: "9",
        PWD: "/",
      },
    });
    expect([good.exitCode, good.log]).toEqual([5, nasty]);
  });

  it("nothing on its standard input, and none of the worker's files", async () => {
    expect((await world.run(job, "cat; ls -l /proc/self/fd | grep -c workers || :")).log).toBe("0\n");
  });

  it("default signals: SIGINT and SIGPIPE end it, as they would in a terminal", async () => {
    const { log } = await world.run(job, "grep -E '^Sig(Ign|Blk)' /proc/self/status");
    expect(log.replaceAll("\t", " ")).toBe("SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n");
  });

  it("sh -e: the first failing command ends it", async () => {
    expect(await world.run(job, "echo one; false; echo two")).toMatchObject({ exitCode: 1, log: "one\n" });
  });

  it("the shell that its plan names, with its arguments and a script file", async () => {
    expect(
      await world.run(job, 'echo "$0" | grep -c script; case $- in *u*) echo u;; esac', {
        shell: ["sh", "-u"],
      }),
    ).toMatchObject({ log: "1\nu\n" });
    expect(await world.run(job, 'print "perl\\n"', { shell: ["perl"] })).toMatchObject({
      exitCode: 0,
      log: "perl\n",
    });
    writeFileSync(world.path(job, "workspace", "mine"), '#!/bin/sh\necho mine; cat "$1"\n', { mode: 0o755 });
    expect(await world.run(job, "text\n", { shell: ["./mine"] })).toMatchObject({ log: "mine\ntext\n" });
  });

  it("a script of 200 KiB and a value of 100 KiB", async () => {
    const script = `# ${"x".repeat(200 * 1024)}\nprintf %s "$BIG" | wc -c`;
    expect(await world.run(job, script, { env: { BIG: "y".repeat(100 * 1024) } })).toMatchObject({
      exitCode: 0,
      log: "102400\n",
    });
  });
});

describe("what cannot start says why, and nothing has begun", () => {
  const cases = [
    ["a missing shell", { shell: ["/no/such/shell"] }, 'the shell "/no/such/shell" is not there'],
    [
      "a shell that is not in the step's PATH",
      { shell: ["sh"], env: { PATH: "/nowhere" } },
      "PATH is /nowhere",
    ],
    ["a value of 200 KiB", { env: { BIG: "x".repeat(200 * 1024) } }, "the value of BIG has 204800 bytes"],
    [
      "too much environment in all",
      { env: Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`V${n}`, "x".repeat(100_000)])) },
      "the environment has",
    ],
    ["a NUL in a value", { env: { A: "x\0y" } }, "the value of A holds a NUL byte"],
    ["a name that is none", { env: { "A-B": "" } }, '"A-B" cannot be the name of a variable'],
    ["a name that belongs to the shell", { env: { OPTIND: "x" } }, "OPTIND belongs to the shell"],
  ] as const;
  for (const [what, over, message] of cases) {
    it(what, async () => {
      const outcome = await world.run(job, "touch began", over);
      expect(outcome).toMatchObject({
        began: false,
        begunAt: null,
        exitCode: null,
        reason: "start_failed",
        workspaceWhole: true,
      });
      expect(outcome.message).toContain(message);
      expect(existsSync(world.path(job, "workspace", "began"))).toBe(false);
    });
  }
});
