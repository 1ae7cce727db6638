/** What /proc shows of a process at its worst moment. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { signalEach } from "../../../src/executor/local/containment/containment.ts";
import { isExecuting, readEnvironment, readProcess } from "../../../src/kernel/index.ts";

async function whileRunning(command: string, args: readonly string[], look: (pid: number) => void) {
  const child = spawn(command, args, { stdio: "ignore", env: { PATH: process.env.PATH, MARK: "there" } });
  try {
    await once(child, "spawn");
    look(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

it("a process that becomes another program is told from one that has no mark", async () => {
  const again = 'exec sh -c "$0" "$0"';
  await whileRunning("sh", ["-c", again, again], (pid) => {
    let [executing, unexplained] = [0, 0];
    for (let look = 0; look < 20_000; look += 1) {
      if (readEnvironment(pid)?.includes("MARK=there")) continue;
      if (isExecuting(pid)) executing += 1;
      // It has just been: the mark is back, or it is at it once more.
      else if (!readEnvironment(pid)?.includes("MARK=there") && !isExecuting(pid)) unexplained += 1;
    }
    expect(executing).toBeGreaterThan(0);
    expect(unexplained).toBeLessThan(executing / 10);
  });
});

it("a process without any environment is not taken for one", async () => {
  await whileRunning("env", ["-i", "/bin/sleep", "60"], (pid) => {
    while (readEnvironment(pid) !== "" || isExecuting(pid));
    expect([readEnvironment(pid), isExecuting(pid)]).toEqual(["", false]);
  });
});

it("a process that ends between the look and the signal is no error; that it may not be signaled is one", () => {
  const own = readProcess(process.pid);
  if (own === null) throw new Error("this process is not there");
  const failing = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };
  expect(() => signalEach([own, own], "SIGKILL", failing("ESRCH"))).not.toThrow();
  expect(() => signalEach([own], "SIGKILL", failing("EPERM"))).toThrow("EPERM");
  const signaled: number[] = [];
  signalEach([{ ...own, start: "1" }, own], "SIGTERM", (pid) => void signaled.push(pid));
  expect(signaled).toEqual([process.pid]);
});
