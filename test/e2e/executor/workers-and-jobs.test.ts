import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InputArtifact, JobSpec } from "../../../src/domain/index.ts";
import { newId } from "../../../src/kernel/index.ts";
import { jobOf } from "../../unit/executor/specs.ts";
import { isAlive, makeWorld, type World } from "./world.ts";

let world: World;
let job: JobSpec;
beforeAll(async () => {
  world = makeWorld();
  job = await world.open();
});
afterAll(() => world[Symbol.asyncDispose]());

describe("workers", () => {
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

  it("that was never used is closed without a look at all processes; its traces and others' are not", async () => {
    const unused = jobOf();
    // Of a job whose directory is gone the mark in a process's environment is what tells that it was the job's.
    const bystander = spawn("sleep", ["600"], {
      env: { ...process.env, SHIPINATOR_WORKER: world.path(unused, "workers", "0") },
      stdio: "ignore",
    });
    const ended = once(bystander, "exit");
    await once(bystander, "spawn");
    await world.executor.close({ ...unused, unused: true });
    expect(isAlive(bystander.pid ?? 0)).toBe(true);
    await world.executor.close(unused);
    expect((await ended)[1]).toBe("SIGKILL");

    const opened = await world.open();
    await world.executor.close({ ...opened, unused: true });
    expect(existsSync(world.path(opened))).toBe(false);
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
