/** Closed sets of words that the database, the contract and the commands share. */

/** `trigger` includes `read`, `admin` includes both. */
export const scopes = ["read", "trigger", "admin"] as const;
export type Scope = (typeof scopes)[number];

export const vcsProviders = ["git", "gitea", "forgejo", "github", "gitlab"] as const;
export type VcsProvider = (typeof vcsProviders)[number];

export const triggerTypes = ["pr", "push", "manual", "cron"] as const;
export type TriggerType = (typeof triggerTypes)[number];

export const deploymentOutcomes = ["active", "succeeded", "failed", "unknown", "canceled"] as const;
export type DeploymentOutcome = (typeof deploymentOutcomes)[number];
