/** `.shipinator.yaml`: from bytes to the stored form, or all of its problems at once. */
import { createHash } from "node:crypto";
import type { PipelineConfig } from "../../domain/index.ts";
import type { Fault } from "../yaml/faults.ts";
import { Lines } from "../yaml/lines.ts";
import { readYaml } from "../yaml/read.ts";
import { locate, type PipelineProblem } from "../yaml/render-problems.ts";
import { decodeSource } from "../yaml/source-text.ts";
import { checkDeploy } from "./deploy-rules.ts";
import { normalize } from "./normalize.ts";
import { checkOutputs } from "./output-rules.ts";
import type { RuleContext } from "./rule-context.ts";
import { checkShape } from "./shape.ts";
import { checkSteps, referencesIn } from "./step-rules.ts";

export interface ParseOptions {
  /** Deploy targets that may be named beside `local`. */
  readonly knownTargets?: readonly string[];
}

export type ParsedPipeline =
  | {
      readonly ok: true;
      readonly config: PipelineConfig;
      /** Lower-case hex SHA-256 of the config as JSON with sorted keys. */
      readonly digest: string;
      /** What a person should know though nothing is wrong, a sentence each. */
      readonly notes: readonly string[];
    }
  | {
      readonly ok: false;
      /** The first hundred, in the order of the text. */
      readonly problems: readonly PipelineProblem[];
      /** How many follow them. */
      readonly more: number;
    };

/** A file can have a problem per letter; what a person reads, and what is kept of a run, is bounded. */
const maxProblems = 100;

const stages = ["build", "test", "deploy"] as const;

/** Never throws for what the file says. Where the file is no YAML, only that is told. */
export function parsePipelineFile(
  input: string | Uint8Array,
  fileName: string,
  options: ParseOptions = {},
): ParsedPipeline {
  const { text, fault } = decodeSource(input);
  if (fault !== null) return broken(fileName, text, [fault]);
  const { root, faults } = readYaml(text);
  if (root === null) return broken(fileName, text, faults.list());
  const shape = checkShape(root, faults);
  const context: RuleContext = {
    root,
    text,
    lines: new Lines(text),
    faults,
    targets: ["local", ...(options.knownTargets ?? [])],
  };
  const outputs = checkOutputs(context);
  checkSteps(context);
  checkDeploy(context, outputs);
  if (root.kind === "map" && !stages.some((stage) => root.entries.has(stage)))
    faults.add(root, "the file has none of build, test and deploy, so there is nothing to run");
  if (shape === null || faults.any) return broken(fileName, text, faults.list());
  const config = normalize(shape, root, outputs);
  return { ok: true, config, digest: pipelineDigest(config), notes: notesOf(config) };
}

function broken(fileName: string, text: string, faults: readonly Fault[]): ParsedPipeline {
  const problems = locate(fileName, text, faults.slice(0, maxProblems));
  return { ok: false, problems, more: faults.length - problems.length };
}

function notesOf(config: PipelineConfig): readonly string[] {
  const alone = [config.build, config.test].flatMap((stage) => {
    const steps = stage?.steps ?? [];
    return steps
      .filter(
        ({ parallelGroup }) =>
          parallelGroup !== null && steps.filter((step) => step.parallelGroup === parallelGroup).length === 1,
      )
      .map((step) => `Step ${step.name} is alone in its parallel group, so it runs by itself.`);
  });
  return [...alone, ...unexpanded(config), ...foreignExpressions(config)];
}

/** Values that look as if a shell read them. They may be meant so: a program can expand them itself. */
function unexpanded({ build, test, deploy }: PipelineConfig): readonly string[] {
  const holders = [...(build?.steps ?? []), ...(test?.steps ?? []), ...(deploy === null ? [] : [deploy])];
  const found = holders.flatMap(({ env }) =>
    Object.entries(env).flatMap(([name, value]) => {
      const reference = referencesIn(value).find((other) => /^[A-Z_][A-Z0-9_]+$/.test(other));
      if (reference === undefined) return [];
      return `The variable ${name} holds the characters $${reference}: no variables are expanded in env. Set it in run where it should be expanded.`;
    }),
  );
  return [...new Set(found)];
}

/** `${{ secrets.NAME }}`, as another CI system fills it in before a shell sees it. */
function foreignExpressions({ build, test, deploy }: PipelineConfig): readonly string[] {
  const steps = [...(build?.steps ?? []), ...(test?.steps ?? [])];
  const scripts = steps.map(({ name, run }) => ({ title: `step ${name}`, run }));
  if (deploy !== null && deploy.run !== null) scripts.push({ title: "the deploy", run: deploy.run });
  return scripts.flatMap(({ title, run }) => {
    const [expression, secret] = /\$\{\{\s*(?:secrets\.(\w+)|[\w.]+)\s*\}\}/.exec(run) ?? [];
    if (expression === undefined) return [];
    const instead =
      secret === undefined
        ? "The script reads variables such as $SHIPINATOR_COMMIT."
        : `Write \`secrets: [${secret}]\` in the step, and $${secret} in the script.`;
    return `The script of ${title} holds ${expression}, which nothing fills in. ${instead}`;
  });
}

/** Lower-case hex SHA-256 of the config as JSON with sorted keys: equal for files that mean the same. */
export function pipelineDigest(config: PipelineConfig): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(config)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
