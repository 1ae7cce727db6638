/** Parses `.shipinator.yaml` to its stored form, or to all of its problems. */
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
  /** Deploy targets besides `local`. */
  readonly knownTargets?: readonly string[];
}

export type ParsedPipeline =
  | {
      readonly ok: true;
      readonly config: PipelineConfig;
      /** Lower-case hex SHA-256 of the config as JSON with sorted keys. */
      readonly digest: string;
      /** Notes about a valid file, one sentence each. */
      readonly notes: readonly string[];
    }
  | {
      readonly ok: false;
      /** The first hundred problems, in the order of the text. */
      readonly problems: readonly PipelineProblem[];
      /** Number of further problems. */
      readonly more: number;
    };

/** Limit for the output and for the stored run, because a file can have a problem per letter. */
const maxProblems = 100;

const stages = ["build", "test", "deploy"] as const;

/** Parses a file. Never throws because of its content. When the file is not YAML, only syntax errors are reported. */
export function parsePipelineFile(
  input: string | Uint8Array,
  fileName: string,
  options: ParseOptions = {},
): ParsedPipeline {
  const { text, fault } = decodeSource(input);
  if (fault !== null) return rejected(fileName, text, [fault]);
  const { root, faults } = readYaml(text);
  if (root === null) return rejected(fileName, text, faults.list());
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
    faults.add(root, "The file has none of build, test and deploy, so there is nothing to run.");
  if (shape === null || !faults.isEmpty) return rejected(fileName, text, faults.list());
  const config = normalize(shape, root, outputs);
  return { ok: true, config, digest: pipelineDigest(config), notes: notesOf(config) };
}

function rejected(fileName: string, text: string, faults: readonly Fault[]): ParsedPipeline {
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
  return [...alone, ...unexpandedVariables(config), ...foreignExpressions(config)];
}

/** Notes about values with shell variables, which are allowed because a program can expand them itself. */
function unexpandedVariables({ build, test, deploy }: PipelineConfig): readonly string[] {
  const holders = [...(build?.steps ?? []), ...(test?.steps ?? []), ...(deploy === null ? [] : [deploy])];
  const found = holders.flatMap(({ env }) =>
    Object.entries(env).flatMap(([name, value]) => {
      const reference = referencesIn(value).find((other) => /^[A-Z_][A-Z0-9_]+$/.test(other));
      if (reference === undefined) return [];
      return `The variable ${name} contains the characters $${reference}, because variables are not expanded in env. Set it in run to expand it.`;
    }),
  );
  return [...new Set(found)];
}

/** Notes about `${{ secrets.NAME }}`, which other CI systems expand before the shell runs. */
function foreignExpressions({ build, test, deploy }: PipelineConfig): readonly string[] {
  const steps = [...(build?.steps ?? []), ...(test?.steps ?? [])];
  const scripts = steps.map(({ name, run }) => ({ title: `step ${name}`, run }));
  if (deploy !== null && deploy.run !== null) scripts.push({ title: "the deploy", run: deploy.run });
  return scripts.flatMap(({ title, run }) => {
    const [expression, secret] = /\$\{\{\s*(?:secrets\.(\w+)|[\w.]+)\s*\}\}/.exec(run) ?? [];
    if (expression === undefined) return [];
    const instead =
      secret === undefined
        ? "Use variables such as $SHIPINATOR_COMMIT."
        : `Write \`secrets: [${secret}]\` in the step, and $${secret} in the script.`;
    return `The script of ${title} contains ${expression}, which is not expanded. ${instead}`;
  });
}

/** Lower-case hex SHA-256 of the config as JSON with sorted keys, equal for files with the same meaning. */
export function pipelineDigest(config: PipelineConfig): string {
  return createHash("sha256")
    .update(JSON.stringify(sortKeys(config)))
    .digest("hex");
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
