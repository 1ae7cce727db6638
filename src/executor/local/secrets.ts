/** The secrets of a step and its run, asked for just before it starts and kept nowhere but in its own files. */
import type { ExecutionSpec } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { LocalPorts, StepSecrets } from "./options.ts";

/** Reports whether the step or another one of its run names a secret. */
export const hasSecrets = (spec: Pick<ExecutionSpec, "job" | "secrets">): boolean =>
  spec.secrets.length > 0 || (spec.job.runSecrets ?? []).length > 0;

/**
 * The step's secrets; or why there is one that cannot be had, for a person.
 * @throws Problem database_unavailable, after which it is tried again
 */
export async function secretsFor(
  spec: Pick<ExecutionSpec, "job" | "secrets">,
  { secrets }: Pick<LocalPorts, "secrets">,
): Promise<StepSecrets | string> {
  if (!hasSecrets(spec)) return { variables: {}, masked: [] };
  try {
    return await secrets(spec);
  } catch (error) {
    const { code, message, remedy } = Problem.from(error);
    if (code === "database_unavailable") throw error;
    return remedy === undefined ? message : `${message} ${remedy}`;
  }
}
