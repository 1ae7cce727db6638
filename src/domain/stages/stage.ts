/** What makes a stage a stage. Each inator is pure; the orchestrator submits and registers on its behalf. */
import type { ExecutionId } from "../../kernel/index.ts";
import type { CollectedOutput, Outcome, StepPlan } from "../model/execution-spec.ts";
import type { JobType, PipelineConfig, TemplateVariables } from "../model/pipeline-config.ts";
import type { FailureReason } from "../model/reasons.ts";

export interface PlanContext {
  readonly variables: TemplateVariables;
  /** Seconds between SIGTERM and SIGKILL where the stage does not need more. */
  readonly graceSeconds: number;
}

/** A stage's verdict over one attempt. `failed` carries the first true reason. */
export type Verdict =
  | { readonly state: "succeeded" }
  | {
      readonly state: "failed" | "lost" | "canceled";
      readonly reason: FailureReason;
      readonly message: string | null;
    };

export interface Settlement {
  readonly verdict: Verdict;
  /** The outputs to register in the same transaction. */
  readonly artifacts: readonly Extract<CollectedOutput, { found: true }>[];
}

export interface Inator {
  readonly jobType: JobType;
  /** The stage's steps in order, template variables filled in; null where the file has no such stage. */
  plan(config: PipelineConfig, context: PlanContext): readonly StepPlan[] | null;
  /** Whether outputs are to be collected after this outcome, and which. */
  wanted(plan: StepPlan, outcome: Outcome): StepPlan["outputs"];
  /**
   * What can still be asked when an attempt's end leaves open what it has done: a step that looks and changes nothing.
   * It is no step of the run and leaves no rows; asked twice, it answers as well. Null, as without this: nothing.
   */
  inquire?(plan: StepPlan, executionId: ExecutionId, outcome: Outcome): StepPlan | null;
  /**
   * Exit status, final report and every declared artifact: all three, or a failure with the true reason.
   * @param answer how the step of `inquire` ended, where there was one
   */
  settle(
    plan: StepPlan,
    outcome: Outcome,
    collected: readonly CollectedOutput[],
    answer?: Outcome | null,
  ): Settlement;
}
