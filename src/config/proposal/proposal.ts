/** What a look at one kind of project proposes for the starting file. */
import type { ArtifactType } from "../../domain/index.ts";

export interface ProposedStep {
  readonly name: string;
  /** One line, without the `#`. */
  readonly comment?: string;
  readonly run: readonly string[];
  readonly outputs?: readonly { readonly type: ArtifactType; readonly name: string; readonly path: string }[];
}

/** Files of the repository by path from its root, `/` between parts: the content, or null where only presence is known. */
export type RepositoryFiles = ReadonlyMap<string, string | null>;

export interface Proposal {
  /** One word that may begin a name. */
  readonly kind: string;
  /** The file it was made of. */
  readonly source: string;
  readonly build: readonly ProposedStep[];
  readonly test: readonly ProposedStep[];
  /** Blocks of lines that are written as comments: what needs a decision, or a tool that may not be there. */
  readonly later: readonly (readonly string[])[];
}

/** A YAML scalar: plain where that is certainly safe, else in double quotes, which JSON's are too. */
export function quotedYaml(text: string): string {
  const plain =
    /^[A-Za-z_./][A-Za-z0-9_./=@$ -]*$/.test(text) &&
    !/ $|^(?:true|false|null|yes|no|on|off|\.+(?:inf|nan)?)$/i.test(text);
  return plain ? text : JSON.stringify(text);
}

/** A name out of a project's file as it may stand in ours, or null. */
export function safeName(text: string | undefined): string | null {
  return text !== undefined && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text) ? text : null;
}
