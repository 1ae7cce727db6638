import { describe, expect, it } from "vitest";
import { decide, type Evidence } from "../../../src/executor/local/attempts/outcome.ts";

const at = new Date(1_000);
const evidence: Evidence = {
  exit: "0",
  begunAt: new Date(0),
  endedAt: at,
  logBytes: 5,
  logDropped: 0,
  log: "whole",
  outOfMemory: false,
};
const judge = (over: Partial<Evidence>, ending: Parameters<typeof decide>[1] = null) =>
  decide({ ...evidence, ...over }, ending, new Date(2_000));

describe("what was left decides the outcome", () => {
  it("exit 0 alone is success", () => {
    expect(judge({})).toMatchObject({
      began: true,
      exitCode: 0,
      reason: null,
      message: null,
      killedBy: null,
      endedAt: at,
    });
    for (const exit of [null, "nowhere", "1", "255"]) expect(judge({ exit }).reason).not.toBeNull();
  });

  it("memory is the reason only of a failure", () => {
    expect(judge({ outOfMemory: true }).reason).toBeNull();
    expect(judge({ outOfMemory: true, exit: "137" }).reason).toBe("out_of_memory");
  });

  it("what we ended keeps the script's status only if it was its own", () => {
    const ending = { cause: "canceled", strategy: "cgroup", script: "killed", timeoutSeconds: 0 } as const;
    expect(judge({ exit: "137" }, ending)).toMatchObject({
      exitCode: null,
      reason: "canceled",
      killedBy: "cgroup",
    });
    expect(judge({ exit: "0" }, { ...ending, script: "ended", strategy: null })).toMatchObject({
      exitCode: 0,
      reason: "canceled",
      killedBy: null,
    });
    expect(judge({ exit: null }, { ...ending, cause: "timed_out", timeoutSeconds: 7 })).toMatchObject({
      reason: "timed_out",
      message: expect.stringContaining("7 s"),
    });
    expect(judge({ exit: null, log: null }, { ...ending, cause: "lost" })).toMatchObject({
      reason: "executor_lost",
      killedBy: "cgroup",
    });
  });

  it("a missing directory means that nothing began", () => {
    expect(judge({ exit: "nowhere" })).toMatchObject({
      began: false,
      begunAt: null,
      reason: "start_failed",
      exitCode: null,
    });
  });

  it.each(["whole", "capped", "cut"])("exit 0 with a log that is %s is success", (log) => {
    expect(judge({ log }).reason).toBeNull();
  });

  it("exit 0 is no success where the log is torn, or nobody says that it is complete", () => {
    expect(judge({ log: "torn" })).toMatchObject({
      exitCode: 0,
      reason: "internal",
      message: expect.stringContaining("the disk refused a part of the log"),
    });
    expect(judge({ log: null })).toMatchObject({
      exitCode: 0,
      reason: "internal",
      message: expect.stringContaining("a part of it may be missing"),
    });
  });

  it("a torn log is told beside another reason", () => {
    expect(judge({ log: "torn", exit: "2" }).message).toMatch(/status 2; the disk refused/);
  });

  it("without an end of its own the end is now", () => {
    expect(judge({ exit: null, endedAt: null }).endedAt).toEqual(new Date(2_000));
  });
});
