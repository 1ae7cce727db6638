/** Runs with their jobs, steps, executions, artifacts and transitions. */
import { z } from "zod";
import { artifactTypes, causeKinds, jobTypes, runPhases, statesOf } from "../domain/index.ts";
import {
  count,
  givenId,
  givenName,
  id,
  nullableText,
  nullableTime,
  reason,
  text,
  time,
  type Wire,
} from "./fields.ts";
import { pageQuery } from "./parameters.ts";

const runStatus = z.enum(statesOf("run"));
const stageStatus = z.enum(statesOf("stage"));
const phase = z.enum(runPhases);
const stage = z.enum(jobTypes);

const runFields = {
  id,
  number: count,
  project: text,
  pipeline: text,
  pipeline_id: id,
  git_ref: nullableText,
  git_sha: nullableText,
  dirty: z.boolean(),
  subpath: nullableText,
  status: runStatus,
  phase,
  cause: z.object({
    kind: z.enum(causeKinds),
    actor: text.meta({
      description: "A token's name, the account at the server's terminal, or a forge's user.",
    }),
    delivery: nullableText.meta({
      description: "The forge's id of the event; null where no forge sent one.",
    }),
  }),
  failure_reason: reason,
  failure_message: nullableText,
  cancel_requested_at: nullableTime,
  retried_from: id.nullable(),
  created_at: time,
  started_at: nullableTime,
  finished_at: nullableTime,
};
export const runSummary = z.object(runFields).meta({ id: "RunSummary" });
export type RunSummary = Wire<typeof runSummary>;

const execution = z
  .object({
    id,
    attempt: count,
    executor_type: text,
    status: z.enum(statesOf("execution")),
    exit_code: z.int().nullable(),
    failure_reason: reason,
    message: nullableText,
    submitted_at: time,
    begun_at: nullableTime,
    completed_at: nullableTime,
    log_bytes: count.nullable(),
    log_dropped: count.nullable(),
  })
  .meta({ id: "Execution" });
export type ExecutionDetail = Wire<typeof execution>;

const step = z
  .object({
    id,
    name: text,
    execution_order: count,
    parallel_group: nullableText,
    status: stageStatus,
    started_at: nullableTime,
    finished_at: nullableTime,
    executions: z.array(execution),
  })
  .meta({ id: "Step" });
export type StepDetail = Wire<typeof step>;

export const job = z
  .object({
    id,
    job_type: stage,
    name: text,
    status: stageStatus,
    attempt: count,
    failure_reason: reason,
    failure_message: nullableText,
    created_at: time,
    started_at: nullableTime,
    finished_at: nullableTime,
    steps: z.array(step),
  })
  .meta({ id: "Job" });
export type JobDetail = Wire<typeof job>;

export const artifact = z
  .object({
    id,
    job_id: id,
    execution_id: id,
    name: text,
    artifact_type: z.enum(artifactTypes),
    storage_backend: text,
    storage_path: text,
    checksum: text.meta({ description: "SHA-256 of the payload, lower-case hex." }),
    size: count,
    metadata: z.object({
      form: z.enum(["file", "tar", "image_ref"]),
      path: nullableText,
      mode: count.optional(),
      ref: text.optional(),
      imageDigest: text.optional(),
      files: count.optional(),
    }),
    created_at: time,
  })
  .meta({ id: "Artifact" });
export type ArtifactDetail = Wire<typeof artifact>;

/** `seq` counts the recorded transitions that are in the answer: `events` after it continues without a gap. */
export const runDetail = z
  .object({
    ...runFields,
    seq: count,
    clone_url: text,
    jobs: z.array(job),
    artifacts: z.array(artifact),
    notes: z.array(text).meta({ description: "Notes on the run, such as an image that was not used." }),
  })
  .meta({ id: "Run" });
export type RunDetail = Wire<typeof runDetail>;

export const event = z
  .object({
    seq: count,
    at: time,
    entity: z.enum(["run", "phase", "job", "step", "execution"]),
    entity_id: id,
    from: nullableText,
    to: text,
    cause: text,
    evidence: z.unknown(),
  })
  .meta({ id: "Event", description: "A recorded transition. `from` is null where the entity was made." });
export type RunEvent = Wire<typeof event>;

const cause = z.object({
  code: z.enum([
    "resolving",
    "waiting_for_slot",
    "waiting_for_space",
    "waiting_for_release",
    "step_running",
    "canceling",
    "owner_away",
    "owner_gone",
    "failed",
    "canceled",
    "succeeded",
  ]),
  message: text,
  entity: nullableText.meta({
    description: "The kind of thing that it is about: a step, a deployment, a server.",
  }),
  entity_id: nullableText,
  since: nullableTime,
  excerpt: z.array(text).optional().meta({
    description:
      "The lines of a failed step's log that say what failed, then the last ones; `…` stands for lines left out.",
  }),
});
export type RunCause = Wire<typeof cause>;

/** The reason for a run's state: one sentence, and the causes behind it as data. */
export const why = z
  .object({
    run_id: id,
    status: runStatus,
    phase,
    summary: text,
    causes: z.array(cause),
    notes: z.array(text),
  })
  .meta({ id: "Why" });
export type RunWhy = Wire<typeof why>;

export const runFilter = pageQuery.extend({
  project: givenName.optional(),
  pipeline: givenName.optional(),
  pipeline_id: givenId.optional(),
  status: runStatus.optional(),
  ref: givenName.optional(),
  sha: z.string().max(64).optional(),
  cause: z.enum(causeKinds).optional(),
  since: z.string().max(64).meta({ format: "date-time" }).optional(),
});
/** `ref` is exact: as recorded (`refs/heads/main`), or its short name. `since` is RFC 3339: accepted at or after. */
export type RunFilter = Wire<typeof runFilter>;

/** `only` null: every stage that the file has. */
export const newRun = z.strictObject({
  ref: givenName.nullable().optional(),
  sha: z.string().max(64).nullable().optional(),
  only: z.array(stage).min(1).max(3).nullable().optional(),
  validate_now: z.boolean().optional(),
  cause: z
    .enum(["manual", "api"])
    .optional()
    .meta({ description: "`manual` where a person asks; `api` when absent." }),
});
export type NewRun = Wire<typeof newRun>;

export const runCancel = z.strictObject({ now: z.boolean().optional() });
export const runRetry = z.strictObject({ what: z.enum(["whole", "failed"]).optional() });

/** The log had `offset` bytes at that moment. */
export const logTime = z.object({ offset: z.int(), at: time }).meta({ id: "LogTime" });
export type LogTime = Wire<typeof logTime>;
