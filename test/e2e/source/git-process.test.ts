/** The shells that start git, with programs in git's place. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kernel/index.ts";
import { createGitProcesses, type GitCommand, type GitProcesses } from "../../../src/source/git/process.ts";
import { eventually } from "../../support/eventually.ts";
import { isAlive } from "../executor/world.ts";

let directory: string;
let processes: GitProcesses;
const never = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shipinator-git-"));
  processes = createGitProcesses({ PATH: process.env.PATH ?? "", KEPT: "base" }, systemClock);
});
afterEach(async () => {
  await processes[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function sh(script: string, more: Partial<GitCommand> = {}, signal = never) {
  return processes.run(
    {
      program: "/bin/sh",
      args: ["-c", script],
      cwd: directory,
      env: {},
      stdin: "/dev/null",
      outputCap: 1_000_000,
      ...more,
    },
    signal,
  );
}

describe("a command", () => {
  it("gives its exit status, and 128 + n of a signal", async () => {
    expect(await sh("exit 0")).toMatchObject({ code: 0, cut: false });
    expect(await sh("exit 3")).toMatchObject({ code: 3 });
    expect(await sh("kill -9 $$")).toMatchObject({ code: 137 });
    expect(await sh("kill -15 $$")).toMatchObject({ code: 143 });
  });

  it("gives what it wrote, byte for byte, with and without a line end, and the two apart", async () => {
    const bytes = Buffer.from([...Array(256).keys(), 10, 10]);
    writeFileSync(join(directory, "bytes"), bytes);
    const both = await sh("cat bytes; printf problem >&2");
    expect(both.stdout.equals(bytes)).toBe(true);
    expect(both.stderr).toBe("problem");
    const none = await sh(":");
    expect([none.stdout.length, none.stderr]).toEqual([0, ""]);
    const large = await sh("head -c 900000 /dev/zero; head -c 900000 /dev/zero >&2");
    expect(large.stdout.length).toBe(900_000);
    expect(large.stderr.length).toBeLessThanOrEqual(2 * 65_536);
  });

  it("takes every word as it is, its directory and its environment too", async () => {
    const words = ["", " a  b ", "it's", '"$HOME"', "`id`", "a\nb\n\n", "\\n$nl;|&<>", "ä\u{1F600}", "-n"];
    const cwd = mkdtempSync(join(directory, "it's\na place "));
    const env = { ONE: "it's\n$KEPT", TWO: "" };
    const { stdout } = await processes.run(
      {
        program: process.execPath,
        args: [
          "-e",
          "console.log(JSON.stringify([process.cwd(), process.env.ONE, process.env.TWO, process.env.KEPT, process.argv.slice(1)]))",
          "--",
          ...words,
        ],
        cwd,
        env,
        stdin: "/dev/null",
        outputCap: 10_000,
      },
      never,
    );
    expect(JSON.parse(stdout.toString())).toEqual([cwd, env.ONE, env.TWO, "base", words]);
  });

  it("leaves neither directory nor environment to the next", async () => {
    await sh(":", { cwd: "/", env: { ONE: "1" } });
    const { stdout } = await sh('pwd; echo "[$ONE]"');
    expect(stdout.toString()).toBe(`${directory}\n[]\n`);
  });

  it("reads the file that is its stdin", async () => {
    writeFileSync(join(directory, "in"), "a\0b");
    expect((await sh("cat", { stdin: join(directory, "in") })).stdout.toString()).toBe("a\0b");
    expect((await sh("cat")).stdout.length).toBe(0);
  });

  it("that is not there, or no program, is told by 127 and 126", async () => {
    expect(await sh("", { program: "no-such-git" })).toMatchObject({ code: 127 });
    writeFileSync(join(directory, "text"), "text", { mode: 0o600 });
    expect(await sh("", { program: join(directory, "text") })).toMatchObject({ code: 126 });
    expect((await sh("", { cwd: join(directory, "no-such") })).stderr).toContain("no-such");
  });

  it("that writes more than its cap is ended, and the next is not touched by it", async () => {
    const endless = await sh("yes", { outputCap: 1000 });
    expect(endless).toMatchObject({ cut: true, code: 137 });
    expect(endless.stdout.length).toBeGreaterThan(1000);
    const exact = await sh("head -c 1000 /dev/zero", { outputCap: 1000 });
    expect([exact.code, exact.cut, exact.stdout.length]).toEqual([0, false, 1000]);
  });
});

describe("shells", () => {
  it("serve one call after another, and many at once", async () => {
    const parents = async () => Number((await sh("echo $PPID")).stdout);
    const first = await parents();
    expect(await parents()).toBe(first);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => sh(`sleep 0.1; echo ${index}; exit ${index}`)),
    );
    expect(answers.map(({ code, stdout }) => [code, stdout.toString()])).toEqual(
      answers.map((_, index) => [index, `${index}\n`]),
    );
  });

  it("that were killed are replaced: at rest, and at work", async () => {
    const pid = Number((await sh("echo $PPID")).stdout);
    process.kill(pid, "SIGKILL");
    await eventually(() => !isAlive(pid));
    expect((await sh("echo here")).stdout.toString()).toBe("here\n");
    const killed = await sh("kill -9 $PPID");
    expect(killed.code).toBe(137);
    expect((await sh("echo here")).stdout.toString()).toBe("here\n");
  });

  it("take git with them", async () => {
    const killed = sh("echo $$ >self; echo begun; kill -9 $PPID; exec sleep 62");
    expect(await killed).toMatchObject({ code: 137 });
    const pid = Number(readFileSync(join(directory, "self"), "utf8"));
    await eventually(() => !isAlive(pid));
  });

  it("tell the end of a command that left a process behind, whatever that writes", async () => {
    const script =
      "(while :; do echo more; echo more >&2; sleep 0.01; done) & echo $! >left; sleep 0.1; exit 3";
    expect((await sh(script)).code).toBe(3);
    const pid = Number(readFileSync(join(directory, "left"), "utf8"));
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
  });

  it("have a session of their own, without a terminal", async () => {
    const { stdout } = await sh(
      "read -r _ _ _ _ group session terminal _ </proc/$$/stat; echo $group $session $terminal $PPID",
    );
    const [group, session, terminal, parent] = stdout.toString().trim().split(" ");
    expect([group, session, terminal]).toEqual([parent, parent, "0"]);
  });

  it("end with the room", async () => {
    const pids = await Promise.all([sh("echo $PPID"), sh("echo $PPID")]);
    await processes[Symbol.asyncDispose]();
    expect(pids.map(({ stdout }) => isAlive(Number(stdout)))).toEqual([false, false]);
  });
});

describe("an abort", () => {
  const files = () => readdirSync(directory);

  it("lets the command tidy up", async () => {
    const stop = new AbortController();
    const call = sh("trap 'echo tidy; exit 9' TERM; : >begun; sleep 60 & wait", {}, stop.signal);
    await eventually(() => files().includes("begun"));
    stop.abort();
    const { code, stdout } = await call;
    expect([code, stdout.toString()]).toEqual([9, "tidy\n"]);
    expect((await sh("echo here")).stdout.toString()).toBe("here\n");
  });

  it("kills the whole family where it does not listen", async () => {
    const stop = new AbortController();
    const call = sh("trap '' TERM; sleep 61 & echo $! >child; echo $$ >self; wait", {}, stop.signal);
    await eventually(() => files().includes("self") && files().includes("child"));
    const pids = ["self", "child"].map((name) => Number(readFileSync(join(directory, name), "utf8")));
    stop.abort();
    expect(await call).toMatchObject({ code: 137 });
    await eventually(() => !pids.some(isAlive));
  });
});
