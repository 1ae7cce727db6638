import { describe, expect, it } from "vitest";
import type { Evidence, RunSnapshot } from "../../../src/domain/index.ts";
import { newId } from "../../../src/kernel/index.ts";
import { planRun } from "../../support/plan.ts";
import { nothing, snapshot, step } from "./snapshots.ts";

describe("a deploy to a held release", () => {
  const given = (outcome: "active" | "unknown") =>
    snapshot({
      run: { status: "running", phase: "tested" },
      jobs: { test: "succeeded", deploy: "pending" },
      steps: [step("deploy", "pending")],
      deployBlock: { deploymentId: newId(), outcome },
    });

  it("waits while another is active", () => {
    expect(planRun(given("active"), nothing)).toEqual({ changes: null, intents: [] });
  });

  it("fails and says how to resolve one whose outcome is unknown", () => {
    const { changes } = planRun(given("unknown"), nothing);
    expect(changes?.run).toMatchObject({ status: { to: "failed" }, reason: "deploy_unknown" });
    expect(changes?.run?.message).toContain("shipinator deployments resolve");
  });
});

describe("a run that is not resolved", () => {
  const unresolved = (run: Partial<RunSnapshot["run"]> = {}) =>
    snapshot({ run: { resolved: false, ...run }, jobs: {} });
  const unresolvable = { reason: "config_invalid", message: "there is no file" } as const;
  const evidence: Evidence = { ...nothing, unresolvable };

  it("is resolved by its owner, and by no other process", () => {
    const given = unresolved();
    expect(planRun(given, nothing)).toEqual({
      changes: null,
      intents: [{ kind: "resolve", runId: given.run.id }],
    });
    expect(planRun(given, nothing, { mode: "observe" })).toEqual({ changes: null, intents: [] });
  });

  it.each(["own", "observe"] as const)("fails with what is known to be in the way: %s", (mode) => {
    const { changes, intents } = planRun(unresolved(), evidence, { mode });
    expect(changes?.run).toEqual({ status: { from: "pending", to: "failed" }, phase: null, ...unresolvable });
    expect(intents.map(({ kind }) => kind)).toEqual(["finished"]);
  });

  it.each(["own", "observe"] as const)("is canceled when it is to be, whatever is known: %s", (mode) => {
    for (const known of [nothing, evidence]) {
      const { changes, intents } = planRun(unresolved({ cancelRequested: true }), known, { mode });
      expect(changes?.run).toMatchObject({ status: { from: "pending", to: "canceled" }, reason: "canceled" });
      expect(intents.map(({ kind }) => kind)).toEqual(["finished"]);
    }
  });

  it("is left alone when it is over", () => {
    expect(planRun(unresolved({ status: "failed" }), evidence)).toEqual({ changes: null, intents: [] });
  });

  it("that is resolved ignores an old failure", () => {
    const given = snapshot({ steps: [step("a", "pending")] });
    expect(planRun(given, evidence).changes?.run).toMatchObject({ status: { to: "running" } });
  });
});
