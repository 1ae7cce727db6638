import type { NewRun } from "../contract/index.ts";
import type { TriggerRequest } from "../services/index.ts";

/** The request to run a registered pipeline, as REST and RPC take it. */
export function triggerOf(pipeline: string, { ref, sha, only, validate_now, cause }: NewRun): TriggerRequest {
  const validate = validate_now === true ? "now" : "later";
  const source = { kind: "pipeline", pipeline, ref: ref ?? null, sha: sha ?? null, validate } as const;
  return { source, only: only ?? null, by: "", cause };
}
