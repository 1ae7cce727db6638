/** The secrets that a step names, asked for just before it starts and kept nowhere but in its own files. */
import type { ExecutionSpec } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { LocalPorts } from "./options.ts";

/**
 * Values by name; or why there is one that cannot be had, for a person.
 * @throws Problem database_unavailable, after which it is tried again
 */
export async function secretsFor(
  spec: Pick<ExecutionSpec, "job" | "secrets">,
  { secrets }: Pick<LocalPorts, "secrets">,
): Promise<Readonly<Record<string, string>> | string> {
  if (spec.secrets.length === 0) return {};
  try {
    return await secrets(spec);
  } catch (error) {
    const { code, message, remedy } = Problem.from(error);
    if (code === "database_unavailable") throw error;
    return remedy === undefined ? message : `${message} (${remedy})`;
  }
}
