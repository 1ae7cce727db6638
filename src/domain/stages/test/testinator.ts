/**
 * Test: a fresh checkout of the same tree with the build's outputs restored at their paths. Coverage and reports are
 * kept whether the step passed or not; a failed step's true reason is its own, not a report that is missing.
 */
import type { Inator } from "../stage.ts";
import { buildOutputs, evaluate, planStep } from "../stage-plan.ts";

export const testinator: Inator = {
  jobType: "test",
  plan(config, context) {
    const inputs = buildOutputs(config, context.variables).filter((input) => input.path !== null);
    return config.test?.steps.map((step) => planStep(step, inputs, context)) ?? null;
  },
  wanted: (plan, outcome) => (outcome.began && outcome.exitCode !== null ? plan.outputs : []),
  evaluate: (_plan, outcome, collected) => evaluate(outcome, collected),
};
