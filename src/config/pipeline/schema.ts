/**
 * The zod schema of `.shipinator.yaml`, also the source of the JSON Schema for editors. Rules that a schema cannot express
 * (unique names, references of a deploy) are in the `*-rules.ts` files.
 */
import { z } from "zod";
import { outputTypes, retryableReasons, testArtifactTypes } from "../../domain/index.ts";
import { durationPattern } from "../server/units.ts";

/** Prefix of keys at the top of the file that are ignored. */
export const extensionPrefix = "x-";
export const maxPathLength = 1024;
export const maxRetries = 10;

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const environmentNamePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

const nameRule = (max: number) =>
  `must be 1 to ${max} characters of A-Z, a-z, 0-9, ".", "_" and "-", the first a letter or digit`;
const name = (max: number) =>
  z
    .string()
    .max(max, { error: nameRule(max) })
    .regex(namePattern, { error: nameRule(max) });

export const maxOutputNameLength = 128;
export const isOutputName = (text: string): boolean =>
  namePattern.test(text) && text.length <= maxOutputNameLength;

/** Fields that steps, defaults and a deploy share. */
function fieldSchemas() {
  const stepName = name(64).describe("The step's name, unique in its stage.");
  const script = z
    .string()
    .regex(/\S/, { error: "is empty, so there is nothing to run" })
    .describe("A shell script. `sh -e` runs it unless `shell` is set. Template variables are not filled in.");
  const image = z
    .string()
    .regex(/^[^\s-]\S*$/, { error: "must be the name of an image, without blanks" })
    .describe("The container image to run in, when the executor uses containers.");
  const shellRule = { error: 'must be a command such as "bash -e", or a list of its words' };
  const shell = z
    .union(
      [z.string().regex(/\S/, shellRule), z.array(z.string().min(1, shellRule)).min(1, shellRule)],
      shellRule,
    )
    .describe('The interpreter and its arguments, such as "bash -e"; the script\'s path is appended.');
  const timeoutRule = {
    error: 'must be a duration such as "90s", "10m" or "1h30m", or a whole number of seconds',
  };
  const timeout = z
    .union([z.int(timeoutRule), z.string().regex(durationPattern, timeoutRule)], timeoutRule)
    .describe("Time limit from 1 second to 24 hours: 90s, 10m, 1h30m, or seconds. Default: 1h.");
  const env = z
    .record(
      z.string().regex(environmentNamePattern, {
        error: "must be letters, digits and underscores, the first no digit",
      }),
      z.union([z.string(), z.number(), z.boolean()], {
        error: 'must be text, a number or a boolean (for an empty one write "")',
      }),
    )
    .describe("Environment variables. Template variables such as {{ .commit }} are filled in.");
  const retryCount = z
    .int({ error: "must be a whole number" })
    .min(0, { error: "must not be negative" })
    .max(maxRetries, { error: `must be at most ${maxRetries}` });
  const retry = z
    .union(
      [
        retryCount,
        z.strictObject({
          max: retryCount.describe("Further attempts after the first."),
          on: z
            .array(z.enum(retryableReasons))
            .min(1, { error: "must name at least one reason" })
            .optional()
            .describe("The failure reasons for another attempt. Default: all of these."),
        }),
      ],
      { error: "must be a number of further attempts, or a mapping of max and on" },
    )
    .describe("Further attempts of the whole stage when this step fails, 0 to 10.");
  const secrets = z
    .array(z.string().regex(environmentNamePattern, { error: "must be a name such as REGISTRY_PASSWORD" }))
    .describe(
      "Names of the project's secrets. Each becomes a variable of its name and is masked in the log.",
    );
  return { stepName, script, image, shell, timeout, env, retry, secrets };
}

type Fields = ReturnType<typeof fieldSchemas>;

function stepSchemas({ stepName, script, image, shell, timeout, env, retry, secrets }: Fields) {
  const path = z
    .string()
    .describe(
      "A file, a directory or a glob, relative to the workspace. More than one file becomes one tar.",
    );
  const outputName = name(maxOutputNameLength)
    .optional()
    .describe("Unique in the file. Default: the last part of `path`, or the repository part of `ref`.");

  const output = z.strictObject({
    type: z.enum(outputTypes).describe("Type of the output."),
    name: outputName,
    path: path.optional(),
    ref: z
      .string()
      .optional()
      .describe(
        "Reference of an oci_image that the step pushed, such as registry.example/app:{{ .commit }}.",
      ),
  });
  const testArtifact = z.strictObject({
    type: z.enum(testArtifactTypes).describe("Type of the artifact."),
    name: outputName,
    path,
  });
  const common = {
    name: stepName,
    run: script,
    shell: shell.optional(),
    image: image.optional(),
    env: env.optional(),
    timeout: timeout.optional(),
    retry: retry.optional(),
    secrets: secrets.optional(),
    parallel: z.boolean().optional().describe("Run at the same time as the adjacent steps that also set it."),
    parallel_group: name(64)
      .optional()
      .describe("Run at the same time as the adjacent steps of the same group."),
  };
  const buildStep = z.strictObject({
    ...common,
    outputs: z
      .array(output)
      .optional()
      .describe("Outputs of the step, stored as artifacts for later stages."),
  });
  const testStep = z.strictObject({
    ...common,
    artifacts: z
      .array(testArtifact)
      .optional()
      .describe("Artifacts to store, whether the step passes or fails."),
  });
  return { buildStep, testStep };
}

/** Builds the schema on first use, because other commands do not need it. */
function buildSchema() {
  const fields = fieldSchemas();
  const { script, image, shell, timeout, env, retry, secrets } = fields;
  const { buildStep, testStep } = stepSchemas(fields);
  const depthRule = { error: 'must be a whole number from 1 on, or "full"' };
  const depth = z
    .union([z.int(depthRule).min(1, depthRule), z.literal("full", depthRule)], depthRule)
    .describe("Commits of each line of history that the checkout has, or full. Default: full.");
  const noSteps = { error: "is empty; a stage needs at least one step" };

  return z.strictObject({
    defaults: z
      .strictObject({
        timeout: timeout.optional(),
        shell: shell.optional(),
        env: env.optional(),
        image: image.optional(),
        retry: retry.optional(),
      })
      .optional()
      .describe("Defaults for every step. `env` is merged. A deploy has no retry."),
    submodules: z.boolean().optional().describe("Fetch Git submodules at checkout. Default: false."),
    lfs: z.boolean().optional().describe("Fetch Git LFS files at checkout. Default: false."),
    clone: z
      .strictObject({
        depth: depth.optional(),
        tags: z
          .boolean()
          .optional()
          .describe("Fetch the tags that point into the history of the checkout. Default: true."),
      })
      .optional()
      .describe("Part of the commit's history in the checkout."),
    build: z
      .strictObject({ steps: z.array(buildStep).min(1, noSteps) })
      .optional()
      .describe("Builds the artifacts."),
    test: z
      .strictObject({ steps: z.array(testStep).min(1, noSteps) })
      .optional()
      .describe("Tests a fresh checkout with the artifacts of the build."),
    deploy: z
      .strictObject({
        artifact: z.string().optional().describe("An output's name, or a type that exactly one output has."),
        target: z.string().optional().describe("The deploy target. Default: local."),
        namespace: z.string().optional().describe("The Kubernetes namespace. Default: default."),
        release: z.string().optional().describe("The Helm release. Default: the pipeline's name."),
        run: script
          .optional()
          .describe(
            "A script. The artifacts are at $SHIPINATOR_ARTIFACTS_DIR/<name>; the source is not checked out.",
          ),
        shell: shell.optional(),
        image: image.optional(),
        env: env.optional(),
        timeout: timeout.optional(),
        secrets: secrets.optional(),
      })
      .optional()
      .describe("Deploys an artifact to a target. It is never retried automatically."),
  });
}

let schema: ReturnType<typeof buildSchema> | undefined;

export function pipelineSchema(): ReturnType<typeof buildSchema> {
  schema ??= buildSchema();
  return schema;
}

export type PipelineInput = z.output<ReturnType<typeof buildSchema>>;
