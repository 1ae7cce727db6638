/** Build: steps in a checkout; each declared output is an artifact, wanted only when its step succeeded. */
import type { Inator } from "../stage.ts";
import { evaluate, planStep } from "../stage-plan.ts";

export const buildinator: Inator = {
  jobType: "build",
  plan(config, context) {
    return config.build?.steps.map((step) => planStep(step, [], context)) ?? null;
  },
  wanted: (plan, outcome) => (outcome.exitCode === 0 && outcome.reason === null ? plan.outputs : []),
  evaluate: (_plan, outcome, collected) => evaluate(outcome, collected),
};
