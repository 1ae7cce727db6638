import { z } from "zod";
import { deploymentOutcomes } from "../domain/index.ts";
import { count, id, nullableText, nullableTime, text, time, type Wire } from "./fields.ts";

/** An `unknown` outcome blocks the release until a person decides it; `resolved_by` names that person. */
export const deployment = z
  .object({
    id,
    target: text,
    namespace: text,
    release: nullableText,
    outcome: z.enum(deploymentOutcomes),
    digests: z.array(text),
    pipeline_run_id: id,
    project: text,
    pipeline: text,
    number: count,
    execution_id: id,
    resolved_by: nullableText,
    created_at: time,
    finished_at: nullableTime,
  })
  .meta({ id: "Deployment" });
export type DeploymentDetail = Wire<typeof deployment>;

export const deploymentResolution = z.strictObject({ outcome: z.enum(["succeeded", "failed"]) });
