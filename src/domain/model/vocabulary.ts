/** Closed sets of words that the database, the contract and the commands share. */

/** `trigger` includes `read`, `admin` includes both. */
export const scopes = ["read", "trigger", "admin"] as const;
export type Scope = (typeof scopes)[number];

export const vcsProviders = ["git", "gitea", "forgejo", "github", "gitlab"] as const;
export type VcsProvider = (typeof vcsProviders)[number];

/** Events that a pipeline may name to be run by. */
export const triggerTypes = ["manual", "push", "pull_request", "tag", "cron"] as const;
export type TriggerType = (typeof triggerTypes)[number];

/** `manual`: a person asked; `api`: a program did. */
export const causeKinds = [...triggerTypes, "retry", "api"] as const;
export type CauseKind = (typeof causeKinds)[number];

/** The reason why there is a run. */
export interface TriggerCause {
  readonly kind: CauseKind;
  /** A token's name, the account at the server's own terminal, or a forge's user. */
  readonly actor: string;
  /** The forge's id of the event; null where no forge sent one. */
  readonly delivery: string | null;
}

export const deploymentOutcomes = ["active", "succeeded", "failed", "unknown", "canceled"] as const;
export type DeploymentOutcome = (typeof deploymentOutcomes)[number];
