/** Types and helpers of the proposals for the initial pipeline file. */
import type { ArtifactType } from "../../domain/index.ts";

export interface ProposedStep {
  readonly name: string;
  /** One line without the `#`. */
  readonly comment?: string;
  readonly run: readonly string[];
  readonly outputs?: readonly { readonly type: ArtifactType; readonly name: string; readonly path: string }[];
}

/** Files of the repository by path from its root, separated by `/`: the content, or null when it was not read. */
export type RepositoryFiles = ReadonlyMap<string, string | null>;

export interface Proposal {
  /** One word that can begin a name. */
  readonly kind: string;
  /** The file on which it is based. */
  readonly source: string;
  readonly build: readonly ProposedStep[];
  readonly test: readonly ProposedStep[];
  /** Blocks of lines that are written as comments, because they need a decision or an optional tool. */
  readonly suggestions: readonly (readonly string[])[];
}

/** Writes a YAML scalar, plain when that is safe, else in double quotes as in JSON. */
export function quotedYaml(text: string): string {
  const plain =
    /^[A-Za-z_./][A-Za-z0-9_./=@$ -]*$/.test(text) &&
    !/ $|^(?:true|false|null|yes|no|on|off|\.+(?:inf|nan)?)$/i.test(text);
  return plain ? text : JSON.stringify(text);
}

/** Returns the name if it is valid in a pipeline file, else null. */
export function safeName(text: string | undefined): string | null {
  return text !== undefined && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text) ? text : null;
}
