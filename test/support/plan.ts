/** The planner with the options that most tests want. */
import {
  type Evidence,
  type Plan,
  type PlanOptions,
  plan,
  type RunSnapshot,
} from "../../src/domain/index.ts";
import { newId } from "../../src/kernel/index.ts";

export const planRun = (
  snapshot: RunSnapshot,
  evidence: Evidence,
  options: Partial<Omit<PlanOptions, "ids">> = {},
): Plan =>
  plan(snapshot, evidence, {
    mode: "own",
    parallelLimit: Number.POSITIVE_INFINITY,
    ids: { execution: newId, job: newId },
    ...options,
  });
