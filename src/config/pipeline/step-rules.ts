/** Rules for steps: names, groups, and the fields that steps, defaults and a deploy share. */
import { retryableReasons } from "../../domain/index.ts";
import { parseDuration } from "../server/units.ts";
import { quoted, type Span } from "../yaml/faults.ts";
import { entriesAt, itemsAt, keySpanAt, nodeAt, textAt, type YamlNode, type YamlPath } from "../yaml/tree.ts";
import {
  checkTemplate,
  checkTemplateAt,
  lineOf,
  type RuleContext,
  type StepPlace,
  stepStages,
  stepsOf,
} from "./rule-context.ts";
import { label } from "./shape.ts";

export const maxSteps = 5000;
export const minTimeoutSeconds = 1;
export const maxTimeoutSeconds = 24 * 3600;

/** Linux limits an argument or variable (`NAME=value`) to 32 pages with the final NUL. */
const maxVariableBytes = 128 * 1024 - 1;

export function checkSteps(context: RuleContext): void {
  const steps = stepStages.flatMap((stage) => stepsOf(context.root, stage));
  const extra = steps[maxSteps];
  if (extra !== undefined)
    context.faults.add(
      extra.node,
      `The file has ${steps.length} steps, and at most ${maxSteps} are allowed.`,
    );
  for (const stage of stepStages) {
    const ofStage = stepsOf(context.root, stage);
    checkNames(context, ofStage);
    checkGroups(context, ofStage);
  }
  for (const { path } of steps) checkCommon(context, path);
  checkCommon(context, ["defaults"]);
}

function checkNames(context: RuleContext, steps: readonly StepPlace[]): void {
  const first = new Map<string, Span>();
  for (const { node, stage } of steps) {
    const name = textAt(node, "name");
    const at = nodeAt(node, ["name"]);
    if (name === undefined || at === undefined) continue;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, at);
    else
      context.faults.add(
        at,
        `Two steps of ${stage} are called ${quoted(name)}. The first is in line ${lineOf(context, earlier)}.`,
        { remedy: "Give one of them another name." },
      );
  }
}

function checkGroups(context: RuleContext, steps: readonly StepPlace[]): void {
  const last = new Map<string, number>();
  for (const { node, index } of steps) {
    const group = textAt(node, "parallel_group");
    const groupNode = nodeAt(node, ["parallel_group"]);
    if (groupNode !== undefined && nodeAt(node, ["parallel"]) !== undefined) {
      context.faults.add(
        keySpanAt(node, ["parallel"]),
        "`parallel` and `parallel_group` exclude each other.",
        {
          remedy: "Write only `parallel_group`.",
        },
      );
    }
    if (group === undefined || groupNode === undefined) continue;
    const before = last.get(group);
    last.set(group, index);
    const between = before === undefined || before === index - 1 ? undefined : steps[before + 1];
    if (between === undefined) continue;
    const where = `step ${quoted(between.title)} in line ${lineOf(context, between.node)}`;
    context.faults.add(groupNode, `The parallel group ${quoted(group)} is interrupted by ${where}.`, {
      remedy: "Put the steps of the group next to each other.",
    });
  }
}

/** Checks the fields that a step, the defaults and the deploy share. */
export function checkCommon(context: RuleContext, path: YamlPath): void {
  const holder = nodeAt(context.root, path);
  if (holder?.kind !== "map") return;
  checkTimeout(context, holder, path);
  checkEnvironment(context, holder);
  checkTemplateAt(context, [...path, "image"]);
  checkReasons(context, holder);
  checkSecrets(context, holder);
}

function checkTimeout(context: RuleContext, holder: YamlNode, path: YamlPath): void {
  const node = nodeAt(holder, ["timeout"]);
  if (node?.kind !== "scalar" || node.value === null || typeof node.value === "boolean") return;
  const seconds = parseDuration(String(node.value));
  if (seconds === null && typeof node.value === "string") return;
  if (seconds === null || seconds < minTimeoutSeconds || seconds > maxTimeoutSeconds)
    context.faults.add(
      node,
      `${label([...path, "timeout"])} must be between 1 second and 24 hours, not ${quoted(node.source)}.`,
    );
}

function checkEnvironment(context: RuleContext, holder: YamlNode): void {
  for (const [name, { key, value }] of entriesAt(holder, "env")) {
    if (name === "CI" || name.startsWith("SHIPINATOR_"))
      context.faults.add(key, `The variable ${quoted(name)} is set by Shipinator and cannot be overridden.`, {
        remedy: "Choose another name.",
      });
    if (value.kind !== "scalar" || value.value === null) continue;
    const text = variableText(value);
    if (referencesIn(text).includes(name))
      context.faults.add(
        value,
        `The variable ${quoted(name)} would contain the characters $${name}, because variables are not expanded in \`env\`.`,
        {
          remedy: `Remove it, and write \`export ${name}=…\` as the first line of \`run\`, where the shell expands it.`,
        },
      );
    if (Buffer.byteLength(name) + 1 + Buffer.byteLength(text) > maxVariableBytes)
      context.faults.add(
        value,
        `The variable ${quoted(name)} has ${Buffer.byteLength(text)} bytes, and the kernel allows at most ${maxVariableBytes} for NAME=value.`,
        { remedy: "Put the text into a file of the repository, or into `run`." },
      );
    checkTemplate(context, value, text);
  }
}

/** Finds the names in `$NAME` and `${NAME}` as a shell does. */
export function referencesIn(text: string): readonly string[] {
  return [...text.matchAll(/\$(?:\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|([A-Za-z_][A-Za-z0-9_]*))/g)].map(
    ([, braced, bare]) => braced ?? bare ?? "",
  );
}

/** Checks the names of secrets, which become variables. */
function checkSecrets(context: RuleContext, holder: YamlNode): void {
  const variables = new Set([...entriesAt(holder, "env")].map(([name]) => name));
  const seen = new Set<string>();
  for (const node of itemsAt(holder, "secrets")) {
    const name = textAt(node);
    if (name === undefined) continue;
    if (name === "CI" || name.startsWith("SHIPINATOR_"))
      context.faults.add(
        node,
        `The variable ${quoted(name)} is set by Shipinator, so no secret can have this name.`,
      );
    else if (variables.has(name))
      context.faults.add(node, `${quoted(name)} is also in \`env\`, and a variable cannot have two values.`);
    else if (seen.has(name)) context.faults.add(node, `The secret ${quoted(name)} is named twice.`);
    seen.add(name);
  }
}

/** The value of a variable. Numbers and booleans keep their text in the file, so that 1.10 stays 1.10. */
export function variableText(node: YamlNode | undefined): string {
  if (node?.kind !== "scalar") return "";
  return typeof node.value === "string" ? node.value : node.source;
}

function checkReasons(context: RuleContext, holder: YamlNode): void {
  const seen = new Set<string>();
  for (const node of itemsAt(holder, "retry", "on")) {
    const reason = textAt(node);
    if (reason === undefined || !retryableReasons.some((known) => known === reason)) continue;
    if (seen.has(reason)) context.faults.add(node, `The reason ${quoted(reason)} is named twice.`);
    seen.add(reason);
  }
}
