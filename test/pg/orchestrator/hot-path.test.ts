import { describe, expect, it } from "vitest";
import { steps } from "../fixture.ts";
import { createBench } from "./bench.ts";

describe("the hot path", () => {
  it("costs one snapshot and one apply per step, and the reads of a job once", async () => {
    await using bench = await createBench();
    const process = await bench.process();
    const count = 20;
    const runId = await bench.begin(process, { build: steps(count) });
    expect((await bench.view(runId)).status).toBe("success");
    const calls = Object.fromEntries(
      [...process.gate.calls].filter(([name]) => !name.startsWith("executor.")),
    );
    expect(calls).toEqual({
      "runs.snapshot": count + 1,
      "runs.apply": count + 1,
      "jobs.spec": 1,
      "executions.place": 1,
    });
    const asked = Object.fromEntries(
      [...process.gate.calls].filter(([name]) => name.startsWith("executor.")),
    );
    expect(asked).toEqual({
      "executor.unavailableReason": count + 1,
      "executor.open": 1,
      "executor.submit": count,
      "executor.status": count,
      "executor.close": 1,
    });
  });
});
