/** Converts a valid input to its stored form: applies defaults, creates names, converts times to seconds. */
import {
  type CloneConfig,
  cleanArtifactPath,
  type DeployConfig,
  type OutputConfig,
  outputTypes,
  type PipelineConfig,
  type RetryConfig,
  retryableReasons,
  type StageConfig,
  type StepConfig,
} from "../../domain/index.ts";
import { parseDuration } from "../server/units.ts";
import { entriesAt, type YamlNode, type YamlPath } from "../yaml/tree.ts";
import { findArtifact } from "./deploy-rules.ts";
import { type DeclaredOutput, defaultOutputName } from "./output-rules.ts";
import type { PipelineInput } from "./schema.ts";
import { variableText } from "./step-rules.ts";

const defaultTimeoutSeconds = 3600;

type Common = Pick<StepConfig, "shell" | "image" | "env" | "timeoutSeconds" | "secrets">;
type StepInput = NonNullable<PipelineInput["build"] & PipelineInput["test"]>["steps"][number];

export function normalize(
  input: PipelineInput,
  root: YamlNode,
  outputs: readonly DeclaredOutput[],
): PipelineConfig {
  return {
    build: input.build === undefined ? null : stage(input, root, "build", input.build.steps),
    test: input.test === undefined ? null : stage(input, root, "test", input.test.steps),
    deploy: input.deploy === undefined ? null : deploy(input, input.deploy, root, outputs),
    submodules: input.submodules ?? false,
    ...(input.lfs === undefined ? {} : { lfs: input.lfs }),
    ...(input.clone === undefined ? {} : { clone: cloneOf(input.clone) }),
  };
}

function cloneOf({ depth = "full", tags = true }: NonNullable<PipelineInput["clone"]>): CloneConfig {
  return { depth: depth === "full" ? null : depth, tags };
}

type StageSteps = NonNullable<PipelineInput["build"]>["steps"] | NonNullable<PipelineInput["test"]>["steps"];

function stage(input: PipelineInput, root: YamlNode, type: "build" | "test", steps: StageSteps): StageConfig {
  const groups = groupNames(steps);
  return {
    steps: steps.map((step, index) => ({
      name: step.name,
      run: step.run,
      ...common(input, step, root, [type, "steps", index]),
      retry: retryOf(step.retry ?? input.defaults?.retry),
      parallelGroup: groups[index] ?? null,
      outputs: outputsOf(step),
    })),
  };
}

function common(
  input: PipelineInput,
  own: Pick<StepInput, "shell" | "image" | "env" | "timeout" | "secrets">,
  root: YamlNode,
  path: YamlPath,
): Common {
  const defaults = input.defaults;
  return {
    shell: shellOf(own.shell ?? defaults?.shell),
    image: own.image ?? defaults?.image ?? null,
    env: { ...environment(root, ["defaults", "env"]), ...environment(root, [...path, "env"]) },
    timeoutSeconds: parseDuration(String(own.timeout ?? defaults?.timeout ?? "")) ?? defaultTimeoutSeconds,
    secrets: own.secrets ?? [],
  };
}

function environment(root: YamlNode, path: YamlPath): Record<string, string> {
  return Object.fromEntries(
    [...entriesAt(root, ...path)].map(([name, { value }]) => [name, variableText(value)]),
  );
}

function shellOf(shell: string | readonly string[] | undefined): readonly string[] | null {
  if (shell === undefined) return null;
  return typeof shell === "string" ? shell.trim().split(/\s+/) : shell;
}

function retryOf(retry: StepInput["retry"]): RetryConfig | null {
  if (retry === undefined) return null;
  const { max, on = retryableReasons } = typeof retry === "number" ? { max: retry } : retry;
  return max === 0 ? null : { max, on };
}

function outputsOf(step: StageSteps[number]): readonly OutputConfig[] {
  if ("outputs" in step)
    return step.outputs?.map(({ type, name, path, ref }) => output(type, name, path, ref)) ?? [];
  if ("artifacts" in step)
    return step.artifacts?.map(({ type, name, path }) => output(type, name, path, undefined)) ?? [];
  return [];
}

function output(
  type: OutputConfig["type"],
  name: string | undefined,
  path: string | undefined,
  ref: string | undefined,
): OutputConfig {
  return {
    // The rules reject an output from which no name can be derived.
    name: name ?? defaultOutputName(path ?? null, ref ?? null) ?? type,
    type,
    path: path === undefined ? null : cleanArtifactPath(path),
    ref: ref ?? null,
  };
}

/** The group of each step: its own, or one for adjacent steps with `parallel: true`. */
function groupNames(steps: StageSteps): readonly (string | null)[] {
  const taken = new Set(steps.flatMap((step) => step.parallel_group ?? []));
  let count = 0;
  let current: string | null = null;
  return steps.map((step) => {
    if (step.parallel !== true) {
      current = null;
      return step.parallel_group ?? null;
    }
    while (current === null || taken.has(current)) {
      count += 1;
      current = `parallel-${count}`;
    }
    return current;
  });
}

function deploy(
  input: PipelineInput,
  own: NonNullable<PipelineInput["deploy"]>,
  root: YamlNode,
  outputs: readonly DeclaredOutput[],
): DeployConfig {
  const found = own.artifact === undefined ? null : findArtifact(own.artifact, outputs);
  const artifact = found?.kind === "found" ? found.output : null;
  return {
    artifact: artifact?.name ?? null,
    artifactType: outputTypes.find((type) => type === artifact?.type) ?? null,
    target: own.target ?? "local",
    namespace: own.namespace ?? "default",
    release: own.release ?? null,
    run: own.run ?? null,
    ...common(input, own, root, ["deploy"]),
  };
}
