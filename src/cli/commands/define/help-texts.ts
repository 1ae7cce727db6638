import type { CauseKind } from "../../../domain/index.ts";

/** Help texts of arguments that several commands share. */
export const RUN_HELP = 'number, [PROJECT/]PIPELINE#NUMBER, id or a prefix of one, or "latest"';
export const PIPELINE_HELP = "[PROJECT/]PIPELINE, or id";

export const causeKinds = [
  "manual",
  "push",
  "pull_request",
  "tag",
  "cron",
  "retry",
  "api",
] as const satisfies readonly CauseKind[];
