/**
 * Template variables: `{{ .commit }}` or `{{ commit }}`, filled in only in declarative fields and never in scripts, so
 * that a branch name can never become shell code. There is no escape: other uses of `{{` belong in a script.
 */
import { Problem } from "../../kernel/index.ts";
import { type TemplateVariables, templateVariableNames } from "./pipeline-config.ts";

export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: keyof TemplateVariables };

/** A fault of a template: `source` is the faulty piece as it stands, from its `{{` on. */
export interface TemplateFault {
  readonly kind: "unknown_variable" | "unclosed";
  readonly source: string;
  /** The variable's name as written, without dot and blanks; empty where none can be read. */
  readonly name: string;
}

export interface Template {
  readonly parts: readonly TemplatePart[];
  readonly faults: readonly TemplateFault[];
}

const opening = "{{";
const closing = "}}";

function isVariable(name: string): name is keyof TemplateVariables {
  return templateVariableNames.some((known) => known === name);
}

/** Splits text at its variables. Never throws; all faults are named. */
export function parseTemplate(text: string): Template {
  const parts: TemplatePart[] = [];
  const faults: TemplateFault[] = [];
  const [before = "", ...pieces] = text.split(opening);
  addText(parts, before);
  for (const piece of pieces) {
    const close = piece.indexOf(closing);
    if (close === -1) {
      faults.push({ kind: "unclosed", source: opening + piece, name: "" });
      continue;
    }
    const name = piece.slice(0, close).trim().replace(/^\./, "");
    if (isVariable(name)) parts.push({ kind: "variable", name });
    else faults.push({ kind: "unknown_variable", source: opening + piece.slice(0, close) + closing, name });
    addText(parts, piece.slice(close + closing.length));
  }
  return { parts, faults };
}

function addText(parts: TemplatePart[], text: string): void {
  if (text !== "") parts.push({ kind: "text", text });
}

/**
 * Fills in the variables of a text.
 * @throws Problem config_invalid where the template has a fault; a validated pipeline file has none.
 */
export function fillTemplate(text: string, variables: TemplateVariables): string {
  const { parts, faults } = parseTemplate(text);
  const fault = faults[0];
  if (fault !== undefined)
    throw new Problem("config_invalid", `${JSON.stringify(fault.source)} is not a template variable.`, {
      remedy: `Use one of ${templateVariableNames.join(", ")}.`,
    });
  return parts.map((part) => (part.kind === "text" ? part.text : variables[part.name])).join("");
}
