/** Checks a tree against the schema of the pipeline file and turns zod issues into sentences with a place. */
import type { z } from "zod";
import { type Faults, quoted } from "../yaml/faults.ts";
import { nearest } from "../yaml/nearest.ts";
import { keySpanAt, nodeAt, plainValue, spanAt, type YamlNode, type YamlPath } from "../yaml/tree.ts";
import { adviceFor } from "./foreign-keys.ts";
import { extensionPrefix, type PipelineInput, pipelineSchema } from "./schema.ts";

const isExtension = (key: string): boolean => key.startsWith(extensionPrefix);

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/** Returns the typed input, or null when it has faults. */
export function checkShape(root: YamlNode, faults: Faults): PipelineInput | null {
  if (root.kind !== "map") {
    faults.add(root, "The file must be a mapping with at least one of build, test and deploy.");
    return null;
  }
  const entries = [...root.entries].filter(([key]) => !isExtension(key));
  const known = plainValue({ ...root, entries: new Map(entries) });
  // Compiling the schema takes longer than checking one file.
  const result = pipelineSchema().safeParse(known, { error: describe, jitless: true });
  if (result.success) return result.data;
  const issues = flatten(result.error.issues, []);
  const meant = new Set(issues.flatMap((issue) => reportUnknownKeys(issue, root, faults)));
  for (const issue of issues)
    if (issue.code !== "unrecognized_keys" && !meant.has(label(issue.path))) report(issue, root, faults);
  return null;
}

/** Replaces an issue of a union with those of its matching branch. */
function flatten(issues: readonly Issue[], prefix: YamlPath): Issue[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code !== "invalid_union") return [{ ...issue, path }];
    const meant = issue.errors.find(
      (branch) => !branch.some((one) => one.path.length === 0 && isWrongType(one)),
    );
    return meant === undefined ? [{ ...issue, path }] : flatten(meant, path);
  });
}

const isWrongType = (issue: Issue): boolean => issue.code === "invalid_type";

function report(issue: Issue, root: YamlNode, faults: Faults): void {
  const path = issue.path;
  switch (issue.code) {
    case "invalid_key":
      faults.add(
        keySpanAt(root, path),
        `The name ${quoted(String(path.at(-1)))} in ${label(path.slice(0, -1))} ${firstMessage(issue)}.`,
      );
      return;
    case "invalid_value": {
      const given = plainText(root, path);
      const known = issue.values.map(String);
      faults.add(spanAt(root, path), `${label(path)} ${issue.message}.`, {
        suggestion: given === null ? null : nearest(given, known),
      });
      return;
    }
    default:
      faults.add(spanAt(root, path), `${label(path)} ${issue.message}.`, { remedy: remedyFor(issue, root) });
  }
}

function firstMessage(issue: Extract<Issue, { code: "invalid_key" }>): string {
  return issue.issues[0]?.message ?? issue.message;
}

/** Creates the predicate of a sentence that begins with the field. Messages of the schema itself take precedence. */
function describe(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is missing";
      if (issue.input === null) return "is empty";
      return `must be ${typeNames[issue.expected] ?? issue.expected}, not ${typeOf(issue.input)}`;
    case "invalid_value":
      if (issue.input === undefined) return "is missing";
      return `must be ${oneOf(issue.values.map(String))}${typeof issue.input === "string" ? `, not ${quoted(issue.input)}` : ""}`;
    default:
      return "has an invalid value";
  }
}

const typeNames: Readonly<Partial<Record<string, string>>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function typeOf(input: unknown): string {
  if (Array.isArray(input)) return "a list";
  if (typeof input === "number") return `the number ${input}`;
  if (typeof input === "boolean") return `the boolean ${input}`;
  if (typeof input === "string") return `the text ${quoted(input)}`;
  return "a mapping";
}

export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "nothing") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** `build.steps[0].run`, or "The file". */
export function label(path: YamlPath): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return text === "" ? "The file" : text.replace(/^\./, "");
}

function plainText(root: YamlNode, path: YamlPath): string | null {
  const node = nodeAt(root, path);
  return node?.kind === "scalar" ? node.source : null;
}

function remedyFor(issue: Issue, root: YamlNode): string | null {
  if (issue.code !== "invalid_type") return null;
  if (nodeAt(root, issue.path) === undefined) return null;
  const source = plainText(root, issue.path);
  if (issue.expected === "string" && source) return `Write ${quoted(source)} in quotes to make it text.`;
  if (issue.expected === "string" && issue.path.at(-1) === "run") return "Write the lines below `run: |`.";
  if (issue.expected === "array" && source) return `Write it as a list: [${source.slice(0, 80)}].`;
  return null;
}

/** @returns the intended fields, which are then not reported as missing */
function reportUnknownKeys(issue: Issue, root: YamlNode, faults: Faults): readonly string[] {
  if (issue.code !== "unrecognized_keys") return [];
  const path = issue.path;
  const known = knownKeys(path);
  const place = path.length === 0 ? "at the top of the file" : `in ${label(path)}`;
  return issue.keys.flatMap((key) => {
    const at = keySpanAt(root, [...path, key]);
    const message = `Unknown key ${quoted(key)} ${place}`;
    const advice = adviceFor(context(path), key, known);
    if (advice !== undefined) {
      faults.add(at, `${message}: ${advice.fact}.`, { remedy: advice.remedy });
      return advice.meant === undefined ? [] : [label([...path, advice.meant])];
    }
    const suggestion = nearest(key, known);
    faults.add(at, `${message}.`, { suggestion, remedy: `Known here: ${known.join(", ")}.` });
    return suggestion === null ? [] : [label([...path, suggestion])];
  });
}

/** The keys of a path without indexes: `build.steps`. */
function context(path: YamlPath): string {
  return path.filter((part) => typeof part !== "number").join(".");
}

/** The keys of the mapping at a path, from the schema. */
function knownKeys(path: YamlPath): readonly string[] {
  let at: z.core.$ZodType | undefined = pipelineSchema();
  for (const part of path) at = inner(at, part);
  const shape = objectShape(at);
  return shape === undefined ? [] : Object.keys(shape);
}

function inner(schema: z.core.$ZodType | undefined, part: PropertyKey): z.core.$ZodType | undefined {
  const { def } = unwrap(schema)?._zod ?? {};
  if (typeof part === "number") return isArrayDef(def) ? def.element : undefined;
  const shape = objectShape(schema);
  return shape !== undefined && Object.hasOwn(shape, part) ? shape[String(part)] : undefined;
}

function objectShape(schema: z.core.$ZodType | undefined): z.core.$ZodShape | undefined {
  const { def } = unwrap(schema)?._zod ?? {};
  if (def === undefined) return undefined;
  if (isObjectDef(def)) return def.shape;
  if (isUnionDef(def)) return def.options.map(objectShape).find((shape) => shape !== undefined);
  return undefined;
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let at = schema;
  while (at !== undefined && isOptionalDef(at._zod.def)) at = at._zod.def.innerType;
  return at;
}

type Def = z.core.$ZodTypeDef;
const isObjectDef = (def: Def): def is z.core.$ZodObjectDef => def.type === "object";
const isUnionDef = (def: Def): def is z.core.$ZodUnionDef => def.type === "union";
const isOptionalDef = (def: Def): def is z.core.$ZodOptionalDef => def.type === "optional";
const isArrayDef = (def: Def | undefined): def is z.core.$ZodArrayDef => def?.type === "array";
