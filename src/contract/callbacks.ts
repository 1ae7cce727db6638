/** Calls of remote executors about their attempt, and the answers. */
import { z } from "zod";
import { artifactTypes, failureReasons, finalStatuses, jobTypes, stopCauses } from "../domain/index.ts";
import { nullableText, text, time, type Wire } from "./fields.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "is no SHA-256 in lower-case hex");
const executorId = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "is not 1 to 128 ASCII characters without spaces");
const upTo = (length: number) => z.string().max(length);

/** An executor chooses its own name, such as a pod's uid. */
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

const claimedInput = z.object({
  name: text,
  type: z.enum(artifactTypes),
  path: nullableText,
  form: z.enum(["file", "tar", "image_ref"]),
  mode: z.int().nullable(),
  sha256: text,
  size: z.int(),
});
export type ClaimedInput = Wire<typeof claimedInput>;

/** All that an executor needs to carry an attempt out. */
export const claimed = z.object({
  execution_id: text,
  attempt: z.int(),
  pipeline_run_id: text,
  job: z.object({ id: text, attempt: z.int(), type: z.enum(jobTypes) }),
  step: z.object({ id: text, name: text }),
  image: nullableText,
  command: text.meta({ description: "A script, for `sh -e` unless `shell` says otherwise." }),
  shell: z.array(text).nullable(),
  env: z.record(z.string(), text),
  secrets: z
    .record(z.string(), text)
    .meta({ description: "Variables of the step; their values are masked in its log." }),
  timeout_seconds: z.number(),
  grace_seconds: z.number(),
  source: z.object({ commit: nullableText, tree: text }).nullable(),
  inputs: z.array(claimedInput),
  outputs: z.array(
    z.object({
      name: text,
      type: z.enum(artifactTypes),
      path: nullableText,
      ref: nullableText,
      required: z.boolean(),
    }),
  ),
  log_cap_bytes: z.int(),
  heartbeat_seconds: z.int(),
});
export type ClaimedExecution = Wire<typeof claimed>;

export const begun = z.object({ begun_at: time });
export type Begun = Wire<typeof begun>;

const stopOrder = z.object({ cause: z.enum(stopCauses), grace_seconds: z.int() });
export type StopOrder = Wire<typeof stopOrder>;

const stop = stopOrder
  .nullable()
  .meta({ description: "Not null: the step is to end now, and then to be reported." });

export const heartbeat = z.object({ stop });
export type Heartbeat = Wire<typeof heartbeat>;

export const report = z.strictObject({
  status: z.enum(["running", ...finalStatuses]),
  exit_code: z.int().min(0).max(255).nullish(),
  reason: z.enum(failureReasons).nullish(),
  message: upTo(4_096).nullish(),
  logs_uri: upTo(2_048).nullish(),
  log_bytes: z.int().min(0).nullish(),
  log_sha256: sha256.nullish(),
  artifacts: z
    .array(z.union([z.string().max(64), z.strictObject({ id: z.string().max(64), sha256 })]))
    .max(1_000)
    .optional(),
});
export type Report = Wire<typeof report>;

export const reported = z.object({
  acknowledged: z.boolean().meta({ description: "False: bytes of the log are missing, from log_offset on." }),
  log_offset: z.int(),
  stop,
});
export type Reported = Wire<typeof reported>;

export const logKept = z.object({
  offset: z.int().meta({ description: "Bytes that are kept: what comes next starts here." }),
  full: z.boolean().meta({ description: "The cap is reached: nothing more is kept." }),
});
export type LogKept = Wire<typeof logKept>;

export const uploaded = z.object({ id: text, name: text, sha256: text, size: z.int() });
export type UploadedArtifact = Wire<typeof uploaded>;

export const uploadQuery = z.strictObject({
  form: z
    .enum(["file", "tar"])
    .default("file")
    .meta({ description: "tar: of a directory or several files." }),
  path: upTo(1_024).optional().meta({
    description: "Where the file was found; what a tar's names are relative to. Default: as declared.",
  }),
  mode: z.coerce.number().int().min(0).max(0o777).optional().meta({ description: "Of a file, in decimal." }),
  files: z.coerce.number().int().min(0).max(1_000_000).optional(),
});
