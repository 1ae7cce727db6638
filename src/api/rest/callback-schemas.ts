/** What executors elsewhere say and are answered. */
import { z } from "zod";
import { artifactTypes, failureReasons, finalStatuses, jobTypes } from "../../domain/index.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "is no SHA-256 in lower-case hex");
const executorId = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "is not 1 to 128 ASCII characters without spaces");
const text = (most: number) => z.string().max(most);

/** Names an executor, as it likes: a pod's uid. */
export const executorHeader = z.looseObject({
  "executor-id": executorId.optional().meta({
    description: "Names the executor, as in its claim; to be sent where more than one may be there.",
  }),
});

export const uploadHeader = executorHeader.extend({
  "content-digest": z.string().max(1_024).optional().meta({ description: "`sha-256=:BASE64:` (RFC 9530)." }),
});

export const claimHeader = z.looseObject({
  "executor-id": executorId.meta({
    description: "Names the executor: one alone may carry the attempt out.",
  }),
});

export const claimed = z.object({
  execution_id: z.string(),
  attempt: z.int(),
  pipeline_run_id: z.string(),
  job: z.object({ id: z.string(), attempt: z.int(), type: z.enum(jobTypes) }),
  step: z.object({ id: z.string(), name: z.string() }),
  image: z.string().nullable(),
  command: z.string().meta({ description: "A script, for `sh -e` unless `shell` says otherwise." }),
  shell: z.array(z.string()).nullable(),
  env: z.record(z.string(), z.string()),
  secrets: z.record(z.string(), z.string()).meta({ description: "Variables to be masked in the log." }),
  timeout_seconds: z.number(),
  grace_seconds: z.number(),
  source: z.object({ commit: z.string().nullable(), tree: z.string() }).nullable(),
  inputs: z.array(
    z.object({
      name: z.string(),
      type: z.enum(artifactTypes),
      path: z.string().nullable(),
      form: z.enum(["file", "tar", "image_ref"]),
      mode: z.int().nullable(),
      sha256: z.string(),
      size: z.int(),
    }),
  ),
  outputs: z.array(
    z.object({
      name: z.string(),
      type: z.enum(artifactTypes),
      path: z.string().nullable(),
      ref: z.string().nullable(),
      required: z.boolean(),
    }),
  ),
  log_cap_bytes: z.int(),
  heartbeat_seconds: z.int(),
});

export const begun = z.object({ begun_at: z.string() });

export const heard = z.object({
  stop: z
    .object({ cause: z.enum(["canceled", "timed_out"]), grace_seconds: z.int() })
    .nullable()
    .meta({ description: "Not null: the step is to end now, and then to be reported." }),
});

const final = {
  exit_code: z.int().min(0).max(255).nullish(),
  reason: z.enum(failureReasons).nullish(),
  message: text(4_096).nullish(),
  logs_uri: text(2_048).nullish(),
  log_bytes: z.int().min(0).nullish(),
  log_sha256: sha256.nullish(),
  artifacts: z
    .array(z.union([z.string().max(64), z.strictObject({ id: z.string().max(64), sha256 })]))
    .max(1_000)
    .optional(),
};

export const report = z.strictObject({ status: z.enum(["running", ...finalStatuses]), ...final });

export const reported = z.object({
  acknowledged: z.boolean().meta({ description: "False: bytes of the log are missing, from log_offset on." }),
  log_offset: z.int(),
  stop: heard.shape.stop,
});

export const logKept = z.object({
  offset: z.int().meta({ description: "Bytes that are kept: what comes next starts here." }),
  full: z.boolean().meta({ description: "The cap is reached: nothing more is kept." }),
});

export const uploaded = z.object({ id: z.string(), name: z.string(), sha256: z.string(), size: z.int() });

export const uploadQuery = z.strictObject({
  form: z
    .enum(["file", "tar"])
    .default("file")
    .meta({ description: "tar: of a directory or several files." }),
  path: text(1_024).optional().meta({
    description: "Where the file was found; what a tar's names are relative to. Default: as declared.",
  }),
  mode: z.coerce.number().int().min(0).max(0o777).optional().meta({ description: "Of a file, in decimal." }),
  files: z.coerce.number().int().min(0).max(1_000_000).optional(),
});
