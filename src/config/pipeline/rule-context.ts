/**
 * Input of the rules: the tree instead of the typed input, so that an invalid shape in one step does not hide faults
 * elsewhere. A rule ignores values of the wrong type, which the shape check reports.
 */
import { parseTemplate, templateVariableNames } from "../../domain/index.ts";
import { type Faults, quoted, type Span } from "../yaml/faults.ts";
import type { Lines } from "../yaml/lines.ts";
import { nearest } from "../yaml/nearest.ts";
import { itemsAt, nodeAt, textAt, type YamlNode, type YamlPath } from "../yaml/tree.ts";

export interface RuleContext {
  readonly root: YamlNode;
  readonly text: string;
  readonly lines: Lines;
  readonly faults: Faults;
  /** Known deploy targets. */
  readonly targets: readonly string[];
}

export interface StepPlace {
  readonly stage: "build" | "test";
  readonly index: number;
  readonly path: YamlPath;
  readonly node: YamlNode;
  /** Name of the step, or its number when it has none. */
  readonly title: string;
}

export const stepStages = ["build", "test"] as const;

export function stepsOf(root: YamlNode, stage: "build" | "test"): readonly StepPlace[] {
  return itemsAt(root, stage, "steps").map((node, index) => ({
    stage,
    index,
    path: [stage, "steps", index],
    node,
    title: textAt(node, "name") ?? `number ${index + 1}`,
  }));
}

export function lineOf(context: RuleContext, { start }: Span): number {
  return context.lines.at(start).line;
}

/**
 * Checks a field that may contain template variables.
 * @returns the text with `x` for each variable, so that the rest can be checked; null when a template is invalid
 */
export function checkTemplate(context: RuleContext, node: YamlNode, value: string): string | null {
  const { parts, faults } = parseTemplate(value);
  const [fault] = faults;
  if (fault === undefined) return parts.map((part) => (part.kind === "text" ? part.text : "x")).join("");
  let from = node.start;
  for (const { kind, source, name } of faults) {
    const found = from < node.end ? context.text.slice(from, node.end).indexOf(source) : -1;
    // When quoting or folding makes the source differ from the value, the whole value is marked.
    const at = found === -1 ? node : { start: from + found, end: from + found + source.length };
    from = at.end;
    const known = `Known variables: ${templateVariableNames.join(", ")}. Use "{{" for other purposes only in a script.`;
    if (kind === "unclosed")
      context.faults.add(at, 'The template variable that begins with "{{" is not closed by "}}".');
    else
      context.faults.add(at, `Unknown template variable ${quoted(name)}.`, {
        suggestion: nearest(name, templateVariableNames),
        remedy: name.startsWith("secrets.") ? secretRemedy(name.slice("secrets.".length)) : known,
      });
  }
  return null;
}

const secretRemedy = (name: string) =>
  `Write \`secrets: [${name}]\` in the step, and $${name} in the script.`;

/** Checks a text field that may contain template variables. */
export function checkTemplateAt(context: RuleContext, path: YamlPath): string | null {
  const node = nodeAt(context.root, path);
  const value = textAt(node);
  return node === undefined || value === undefined ? null : checkTemplate(context, node, value);
}
