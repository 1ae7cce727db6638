import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InputArtifact, JobSpec } from "../../../src/domain/index.ts";
import { newId } from "../../../src/kernel/index.ts";
import { isAlive, makeWorld, type World } from "./world.ts";

let world: World;
let job: JobSpec;
beforeAll(async () => {
  world = makeWorld({ holdMs: 300 });
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
      "CI GIT_CEILING_DIRECTORIES GREETING HOME LANG PATH PWD SHIPINATOR_EXECUTION_ID SHIPINATOR_LANE TMPDIR _";
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

  it("nothing on its standard input, and none of the lane's files", async () => {
    expect((await world.run(job, "cat; ls -l /proc/self/fd | grep -c lanes || :")).log).toBe("0\n");
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

describe("how a step ends", () => {
  it.each([
    ["exit 1", 1, "the script exited with status 1"],
    ["exit 255", 255, "the script exited with status 255"],
    ["no-such-command", 127, "a command was not found"],
    [": >plain; ./plain", 126, "could not be executed"],
    ["kill -9 $$", 137, "as after SIGKILL"],
    ["kill -TERM $$", 143, "as after SIGTERM"],
  ])("%s", async (command, exitCode, message) => {
    const outcome = await world.run(job, command);
    expect(outcome).toMatchObject({ began: true, exitCode, reason: "script_failed", workspaceWhole: false });
    expect(outcome.message).toContain(message);
    expect(outcome.log).not.toMatch(/Killed|Terminated/); // the log holds what the step wrote, and nothing of ours
  });

  it("has an end after its begin", async () => {
    const { begunAt, endedAt } = await world.run(job, "sleep 0.05");
    expect(Number(endedAt) - Number(begunAt)).toBeGreaterThanOrEqual(40);
  });

  it("keeps its status when it removes its workspace; the next step says what is missing", async () => {
    const other = await world.open();
    expect(await world.run(other, 'rm -rf "$PWD"; exit 4')).toMatchObject({
      exitCode: 4,
      workspaceWhole: false,
    });
    const next = await world.run(other, "echo never");
    expect(next).toMatchObject({ began: false, reason: "start_failed", workspaceWhole: false, log: "" });
    expect(next.message).toContain("an earlier step removed it");
  });

  it("is lost, with a hint at the cause, when it kills its parent", async () => {
    const other = await world.open();
    const outcome = await world.run(other, "kill -9 $PPID; sleep 0.1");
    expect(outcome).toMatchObject({ began: true, exitCode: null, reason: "executor_lost" });
    expect(outcome.message).toContain("perhaps by the step itself");
  });

  it("is lost, with a hint at the cause, when it kills its process group; a lane is made for what follows", async () => {
    const other = await world.open();
    const outcome = await world.run(other, "kill -9 0");
    expect(outcome).toMatchObject({ began: true, exitCode: null, reason: "executor_lost" });
    expect(outcome.message).toContain("may have killed it itself");
    expect(await world.run(other, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
  });

  it("survives trap 'kill 0' EXIT, which scripts use to end their children", async () => {
    expect(await world.run(job, "trap 'kill 0' EXIT; sleep 600 & echo done")).toMatchObject({
      exitCode: 143,
      log: "done\n",
    });
    expect(await world.run(job, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
  });

  it("counts although the script deletes what stands beside its step", async () => {
    const other = await world.open();
    expect(await world.run(other, 'rm -rf "$TMPDIR/../steps/"*; echo kept')).toMatchObject({
      exitCode: 0,
      reason: null,
      logBytes: 5,
    });
  });

  it("keeps its log although the script is at those files before anybody else", async () => {
    const other = await world.open();
    for (let round = 0; round < 30; round++) {
      const first = 'for f in "$TMPDIR/../steps/"*; do : >"$f"; done; echo kept';
      expect(await world.run(other, first)).toMatchObject({ exitCode: 0, log: "kept\n" });
    }
  });
});

describe("the log", () => {
  it("holds every byte in order, of both outputs, binary and long lines too", async () => {
    const bytes = randomBytes(300_000);
    writeFileSync(world.path(job, "workspace", "bytes"), bytes);
    const spec = await world.submit(
      job,
      "cat bytes; cat bytes >&2; head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2",
    );
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0, logBytes: 1_600_004, logDropped: 0 });
    expect(
      world
        .logBytes(spec)
        .equals(Buffer.concat([bytes, bytes, Buffer.from("x".repeat(1_000_000)), Buffer.from("end\n")])),
    ).toBe(true);
  });

  it("holds thousands of single writes", async () => {
    const outcome = await world.run(job, "i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done");
    expect(outcome.log).toBe(Array.from({ length: 5000 }, (_, n) => `${n}\n`).join(""));
  });

  it("can be read while the step runs", async () => {
    const spec = await world.submit(job, "echo first; until [ -e go ]; do sleep 0.01; done; echo second");
    expect(await world.appears(`${world.directory}/${spec.executionId}.log`)).toBe("first\n");
    writeFileSync(world.path(job, "workspace", "go"), "");
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0 });
    expect(world.log(spec)).toBe("first\nsecond\n");
  });

  it("ends where the step closes its outputs, which is no failure", async () => {
    expect(await world.run(job, "echo a; exec >&- 2>&-; exit 0")).toMatchObject({ exitCode: 0, log: "a\n" });
  });

  it("is complete soon after the step although a daemon holds the pipe; the daemon lives on", async () => {
    const outcome = await world.run(
      job,
      "echo before; setsid -f sh -c 'echo $$ >daemon; exec sleep 600'; until [ -s daemon ]; do sleep 0.01; done; echo after",
    );
    expect(outcome).toMatchObject({ exitCode: 0, log: "before\nafter\n", logDropped: 0, killRung: null });
    expect(isAlive(readFileSync(world.path(job, "workspace", "daemon"), "utf8"))).toBe(true);
    expect(await world.run(job, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
  });

  it("goes on after what is there already", async () => {
    const logged = makeWorld();
    await using _ = logged;
    const its = await logged.open();
    const file = `${logged.directory}/shared.log`;
    await logged.restart({ logFile: () => file });
    await logged.executor.open(its);
    writeFileSync(file, "head\n");
    await logged.run(its, "echo tail");
    expect(readFileSync(file, "utf8")).toBe("head\ntail\n");
  });

  it.each([1, 10, 65_536, 100_000])(
    "is cut at %i bytes; the rest is drained and counted",
    async (logCapBytes) => {
      await using capped = makeWorld({ logCapBytes });
      const its = await capped.open();
      const spec = await capped.submit(its, "head -c 1000000 /dev/zero; echo status >&2; exit 7");
      expect(await capped.ended(spec)).toMatchObject({
        exitCode: 7,
        logBytes: logCapBytes,
        logDropped: 1_000_007 - logCapBytes,
      });
      expect(capped.logBytes(spec).length).toBe(logCapBytes);
    },
  );

  it("drops nothing of a log that is exactly as long as the cap", async () => {
    await using capped = makeWorld({ logCapBytes: 1_000 });
    const its = await capped.open();
    expect(await capped.run(its, "head -c 1000 /dev/zero")).toMatchObject({ logBytes: 1_000, logDropped: 0 });
  });

  it("counts what was dropped even when a daemon holds the pipe", async () => {
    await using capped = makeWorld({ logCapBytes: 1_000, holdMs: 300 });
    const its = await capped.open();
    expect(await capped.run(its, "head -c 5000 /dev/zero; setsid -f sleep 600")).toMatchObject({
      logBytes: 1_000,
      logDropped: 4_000,
    });
  });

  it("keeps 1 GB from filling the disk", async () => {
    await using capped = makeWorld({ logCapBytes: 1_048_576 });
    const its = await capped.open();
    const size = 1_073_741_824;
    expect(await capped.run(its, `head -c ${size} /dev/zero`)).toMatchObject({
      exitCode: 0,
      logBytes: 1_048_576,
      logDropped: size - 1_048_576,
    });
  });
});

describe("lanes", () => {
  it("run a parallel group at once: each waits for the other", async () => {
    const group = { parallelGroup: "g" };
    const first = await world.submit(job, ": >one; until [ -e two ]; do sleep 0.01; done", group);
    const second = await world.submit(job, ": >two; until [ -e one ]; do sleep 0.01; done", group);
    expect([(await world.ended(first)).exitCode, (await world.ended(second)).exitCode]).toEqual([0, 0]);
  });

  it("start ten at the same moment", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, n) => world.run(job, `echo ${n}`, { parallelGroup: "g" })),
    );
    expect(outcomes.map((it) => it.log)).toEqual(Array.from({ length: 10 }, (_, n) => `${n}\n`));
  });

  it("keep what a step leaves in the background until the job is closed, and end it then", async () => {
    const other = await world.open();
    await world.run(other, "sleep 600 >/dev/null 2>&1 & echo $! >pid");
    await world.run(
      other,
      "setsid -f sh -c 'echo $$ >daemon; exec sleep 600' >/dev/null 2>&1; until [ -s daemon ]; do sleep 0.01; done",
    );
    const pids = ["pid", "daemon"].map((name) => readFileSync(world.path(other, "workspace", name), "utf8"));
    expect((await world.run(other, `kill -0 ${pids.join(" ").replaceAll("\n", "")} && echo alive`)).log).toBe(
      "alive\n",
    );
    await world.executor.close(other);
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(existsSync(world.path(other))).toBe(false);
  });
});

describe("a job", () => {
  const input: InputArtifact = {
    name: "app",
    type: "binary",
    path: "bin/app",
    artifactId: newId(),
    sha256: "ab".repeat(32),
    size: 1,
    metadata: { form: "file", path: "bin/app" },
  };

  it("without source has no checkout: its inputs lie by name where SHIPINATOR_ARTIFACTS_DIR says", async () => {
    const deploy = await world.open({ source: null, inputs: [input] });
    expect(
      await world.run(
        deploy,
        'cat "$SHIPINATOR_ARTIFACTS_DIR/app"; echo; ls; [ "$PWD" = "$SHIPINATOR_ARTIFACTS_DIR" ]',
      ),
    ).toMatchObject({
      exitCode: 0,
      log: `${"ab".repeat(32)}\napp\n`,
    });
  });

  it("with source has its inputs in the workspace", async () => {
    const seen: unknown[] = [];
    await using own = makeWorld({ restore: async (_input, to) => void seen.push(to) });
    const test = await own.open({ inputs: [input] });
    expect(seen).toEqual([{ root: own.path(test, "workspace"), kind: "workspace" }]);
  });

  it.each(["checkout", "restore"] as const)(
    "that cannot be opened (%s) leaves nothing, and opens later",
    async (port) => {
      let broken = true;
      await using own = makeWorld({
        [port]: async () => {
          if (broken) throw new Error("the disk is on fire");
        },
      });
      const spec = { inputs: [input] };
      await expect(own.open(spec)).rejects.toMatchObject({
        code: "executor_failed",
        message: expect.stringContaining("the disk is on fire"),
      });
      broken = false;
      const later = await own.open(spec);
      expect(await own.run(later, "echo works")).toMatchObject({ log: "works\n" });
    },
  );

  it("is opened once however many ask at the same time", async () => {
    let checkouts = 0;
    await using own = makeWorld({
      checkout: async () => {
        checkouts++;
      },
    });
    const { jobOf } = await import("../../unit/executor/specs.ts");
    const same = jobOf();
    await Promise.all([own.executor.open(same), own.executor.open(same), own.executor.open(same)]);
    expect(checkouts).toBe(1);
  });

  it("goes with all it holds: read-only and unreadable directories, odd names, many files", async () => {
    const other = await world.open();
    await world.run(
      other,
      "mkdir -p a/b; : >a/b/c; chmod 000 a/b; chmod 555 a; mkdir many; cd many; seq 3000 | xargs touch; mkdir -- '-rf'; : >'x\ny'; ln -s / link",
    );
    await world.executor.close(other);
    expect(existsSync(world.path(other))).toBe(false);
    expect(existsSync("/bin/sh")).toBe(true);
  });
});
