import type { CauseKind } from "../../domain/index.ts";

/** How the help names what several commands take. */
export const RUN_HELP = 'a number, [PROJECT/]PIPELINE#NUMBER, an id or the beginning of one, or "latest"';
export const PIPELINE_HELP = "[PROJECT/]PIPELINE, or an id";

export const causeKinds = [
  "manual",
  "push",
  "pull_request",
  "tag",
  "cron",
  "retry",
  "api",
] as const satisfies readonly CauseKind[];
