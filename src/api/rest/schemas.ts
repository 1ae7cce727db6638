/** The wire's data as schemas: no transform, pipe, date or bigint, so that the document made from them cannot lie. */
import { z } from "zod";
import { failureReasons, jobTypes, statesOf } from "../../domain/index.ts";
import { scopes } from "../../services/index.ts";

const time = z.string().meta({ format: "date-time", example: "2026-11-26T09:11:56.000Z" });
const nullableTime = time.nullable();
const id = z.string().meta({ format: "uuid", example: "01a20b05-b6ea-7abb-bb20-b3c05e9d7957" });
const count = z.int().min(0);

/** An id in a path; what is none is not there. */
export const idParameter = z.object({ id: z.string().max(64) });
/** A project in a path. */
export const projectParameter = z.object({
  id: z.string().max(1024).meta({ description: "An id or a name." }),
});
/** A pipeline in a path. */
export const pipelineParameter = z.object({
  id: z.string().max(1024).meta({ description: "An id, or `[PROJECT/]PIPELINE` where that is unique." }),
});
/** A run in a path. */
export const runParameter = z.object({
  run: z.string().min(1, "is empty").max(1024).meta({
    description:
      "A number, `[PROJECT/]PIPELINE#NUMBER`, an id or a unique beginning of one, or `latest`. Percent-encode `/` and `#`.",
  }),
});

export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: "Rows wanted; 50 when absent." }),
  cursor: z.string().max(512).optional().meta({ description: "`next_cursor` of the page before." }),
};

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    remedy: z.string().optional(),
    place: z.string().optional(),
    details: z.unknown().optional(),
    instance: z.string(),
    request_id: z.string(),
  })
  .meta({ id: "Problem", description: "RFC 9457, with a code for programs and a remedy for people." });

export const project = z
  .object({ id, name: z.string(), description: z.string(), created_at: time, updated_at: time })
  .meta({ id: "Project" });

export const repository = z
  .object({
    id,
    project_id: id,
    vcs_provider: z.enum(["git", "gitea", "forgejo", "github", "gitlab"]),
    clone_url: z.string(),
    default_branch: z.string().nullable(),
    clone_secret: z.string().nullable(),
    clone_username: z.string().nullable(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Repository" });

export const repositoryCheck = z
  .object({
    commit: z.string().nullable(),
    ref: z.string().nullable().meta({ description: "The branch that a run takes by default, in full." }),
    pipeline_file_problem: z
      .string()
      .nullable()
      .meta({ description: "Why the pipeline file of that commit cannot be used; null: it can." }),
  })
  .meta({ id: "RepositoryCheck" });

export const triggerType = z.enum(["pr", "push", "manual", "cron"]);

export const pipeline = z
  .object({
    id,
    repository_id: id,
    project_id: id,
    project: z.string(),
    name: z.string(),
    clone_url: z.string(),
    trigger_type: triggerType,
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Pipeline" });

export const runStatus = z.enum(["pending", "running", "success", "failed", "canceled"]);
export const stage = z.enum(jobTypes);
const reason = z.enum(failureReasons).nullable();

const runFields = {
  id,
  number: count,
  project: z.string(),
  pipeline: z.string(),
  pipeline_id: id,
  git_ref: z.string().nullable(),
  git_sha: z.string().nullable(),
  dirty: z.boolean(),
  subpath: z.string().nullable(),
  status: runStatus,
  phase: z.enum(["submitted", "building", "built", "testing", "tested", "deploying", "deployed"]),
  trigger: triggerType,
  failure_reason: reason,
  failure_message: z.string().nullable(),
  cancel_requested_at: nullableTime,
  retried_from: id.nullable(),
  created_at: time,
  started_at: nullableTime,
  finished_at: nullableTime,
};

export const runSummary = z.object(runFields).meta({ id: "RunSummary" });

const execution = z
  .object({
    id,
    attempt: count,
    executor_type: z.string(),
    status: z.enum(statesOf("execution")),
    exit_code: z.int().nullable(),
    failure_reason: reason,
    message: z.string().nullable(),
    submitted_at: time,
    begun_at: nullableTime,
    completed_at: nullableTime,
    log_bytes: count.nullable(),
    log_dropped: count.nullable(),
  })
  .meta({ id: "Execution" });

const step = z
  .object({
    id,
    name: z.string(),
    execution_order: count,
    parallel_group: z.string().nullable(),
    status: z.enum(statesOf("stage")),
    started_at: nullableTime,
    finished_at: nullableTime,
    executions: z.array(execution),
  })
  .meta({ id: "Step" });

export const job = z
  .object({
    id,
    job_type: stage,
    name: z.string(),
    status: z.enum(statesOf("stage")),
    attempt: count,
    failure_reason: reason,
    failure_message: z.string().nullable(),
    created_at: time,
    started_at: nullableTime,
    finished_at: nullableTime,
    steps: z.array(step),
  })
  .meta({ id: "Job" });

export const artifact = z
  .object({
    id,
    job_id: id,
    execution_id: id,
    name: z.string(),
    artifact_type: z.enum(["binary", "oci_image", "helm_chart", "manifest", "coverage", "test_report"]),
    storage_backend: z.string(),
    storage_path: z.string(),
    checksum: z.string().meta({ description: "SHA-256 of the payload, lower-case hex." }),
    size: count,
    metadata: z.object({
      form: z.enum(["file", "tar", "image_ref"]),
      path: z.string().nullable(),
      mode: count.optional(),
      ref: z.string().optional(),
      imageDigest: z.string().optional(),
      files: count.optional(),
    }),
    created_at: time,
  })
  .meta({ id: "Artifact" });

export const runDetail = z
  .object({
    ...runFields,
    seq: count,
    clone_url: z.string(),
    jobs: z.array(job),
    artifacts: z.array(artifact),
    notes: z.array(z.string()).meta({ description: "Notes on the run, such as an image that was not used." }),
  })
  .meta({ id: "Run" });

export const event = z
  .object({
    seq: count,
    at: time,
    entity: z.enum(["run", "phase", "job", "step", "execution"]),
    entity_id: id,
    from: z.string().nullable(),
    to: z.string(),
    cause: z.string(),
    evidence: z.unknown(),
  })
  .meta({ id: "Event", description: "A recorded transition. `from` is null where the entity was made." });

export const why = z
  .object({
    run_id: id,
    status: runStatus,
    phase: runFields.phase,
    summary: z.string(),
    causes: z.array(
      z.object({
        code: z.string(),
        message: z.string(),
        entity: z.string().nullable(),
        entity_id: z.string().nullable(),
        since: nullableTime,
        excerpt: z.array(z.string()).optional().meta({
          description:
            "The lines of a failed step's log that say what failed, then the last ones; `…` stands for lines left out.",
        }),
      }),
    ),
    notes: z.array(z.string()),
  })
  .meta({ id: "Why" });

export const deployment = z
  .object({
    id,
    target: z.string(),
    namespace: z.string(),
    release: z.string().nullable(),
    outcome: z.enum(["active", "succeeded", "failed", "unknown", "canceled"]),
    digests: z.array(z.string()),
    pipeline_run_id: id,
    project: z.string(),
    pipeline: z.string(),
    number: count,
    execution_id: id,
    resolved_by: z.string().nullable(),
    created_at: time,
    finished_at: nullableTime,
  })
  .meta({ id: "Deployment" });

export const scope = z.enum(scopes);
const tokenFields = {
  id,
  name: z.string(),
  scope,
  project_id: id.nullable(),
  project: z.string().nullable(),
  created_by: z.string(),
  created_at: time,
  expires_at: nullableTime,
  revoked_at: nullableTime,
};
export const token = z.object(tokenFields).meta({ id: "Token" });
export const tokenCreated = z
  .object({ ...tokenFields, token: z.string() })
  .meta({ id: "TokenCreated", description: "The only time that the token itself is shown." });

export const secret = z
  .object({
    project_id: id,
    name: z.string(),
    created_by: z.string(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Secret", description: "Without its value, which is shown to nobody." });

export const registryLogin = z
  .object({
    project_id: id,
    host: z.string(),
    username: z.string(),
    secret: z.string(),
    created_by: z.string(),
    created_at: time,
    updated_at: time,
  })
  .meta({
    id: "RegistryLogin",
    description: "Names the secret that is the password; it is shown to nobody.",
  });

export const caller = z
  .object({
    name: z.string(),
    scope,
    project_id: id.nullable(),
    project: z.string().nullable(),
    token_id: id.nullable(),
    expires_at: nullableTime,
  })
  .meta({ id: "Caller", description: "`project` null: all projects. `expires_at` null: never." });

export const logTime = z.object({ offset: z.int(), at: time }).meta({ id: "LogTime" });

export const auditEntry = z
  .object({
    id,
    at: time,
    by: z.string(),
    token_id: id.nullable(),
    action: z.string(),
    project_id: id.nullable(),
    entity_id: z.string().nullable(),
    outcome: z.enum(["done", "refused", "failed"]),
    request_id: z.string().nullable(),
  })
  .meta({ id: "AuditEntry" });
