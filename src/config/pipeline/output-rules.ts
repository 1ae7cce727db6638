/** Rules for outputs and test artifacts: their names, paths and image references. */
import { artifactPathFault, cleanArtifactPath } from "../../domain/index.ts";
import { quoted, type Span } from "../yaml/faults.ts";
import { entriesAt, itemsAt, keySpanAt, nodeAt, textAt, type YamlNode, type YamlPath } from "../yaml/tree.ts";
import { checkTemplate, lineOf, type RuleContext, stepStages, stepsOf } from "./rule-context.ts";
import { isOutputName, maxPathLength } from "./schema.ts";
import { label } from "./shape.ts";

export interface DeclaredOutput {
  /** Null when it has no valid name, which is reported as a fault. */
  readonly name: string | null;
  readonly type: string | null;
  readonly stage: "build" | "test";
  readonly at: Span;
}

/** `[host[:port]/]path[:tag][@digest]` with the variables filled in. */
const imageReference =
  /^(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;
const maxReferenceLength = 1024;

export function checkOutputs(context: RuleContext): readonly DeclaredOutput[] {
  const declared: DeclaredOutput[] = [];
  for (const stage of stepStages) {
    const key = stage === "build" ? "outputs" : "artifacts";
    for (const step of stepsOf(context.root, stage))
      for (const [index, node] of itemsAt(step.node, key).entries())
        declared.push(checkOutput(context, node, [...step.path, key, index], stage));
  }
  checkUnique(context, declared);
  return declared;
}

function checkOutput(
  context: RuleContext,
  node: YamlNode,
  path: YamlPath,
  stage: "build" | "test",
): DeclaredOutput {
  const type = textAt(node, "type") ?? null;
  const pathNode = nodeAt(node, ["path"]);
  const refNode = nodeAt(node, ["ref"]);
  if (stage === "build" && node.kind === "map") checkSource(context, node, type, path);
  const file = textAt(pathNode);
  if (pathNode !== undefined && file !== undefined) checkPath(context, pathNode, file, [...path, "path"]);
  const ref = textAt(refNode);
  if (refNode !== undefined && ref !== undefined) checkReference(context, refNode, ref, [...path, "ref"]);
  const nameNode = nodeAt(node, ["name"]);
  if (nameNode !== undefined) {
    const name = textAt(nameNode);
    return { name: name !== undefined && isOutputName(name) ? name : null, type, stage, at: nameNode };
  }
  const source = pathNode ?? refNode;
  const name = defaultOutputName(file ?? null, ref ?? null);
  if (name === null && source !== undefined && (file ?? ref) !== undefined)
    context.faults.add(source, `No name can be derived from ${quoted(file ?? ref ?? "")}.`, {
      remedy: "Give the output a `name`.",
    });
  return { name, type, stage, at: source ?? node };
}

/** Requires exactly one of path and ref, and allows ref only for an image. */
function checkSource(context: RuleContext, node: YamlNode, type: string | null, path: YamlPath): void {
  const entries = entriesAt(node);
  const hasPath = entries.has("path");
  const hasRef = entries.has("ref");
  if (hasRef && type !== "oci_image" && type !== null)
    context.faults.add(keySpanAt(node, ["ref"]), `Only an oci_image can have a ref, not a ${type}.`, {
      remedy: "Write the `path` of the file that the step creates.",
    });
  else if (hasPath && hasRef)
    context.faults.add(
      keySpanAt(node, ["ref"]),
      `${label(path)} has both a path and a ref, and only one is allowed.`,
      {
        remedy: "Keep `ref` for an image in a registry, or `path` for an archive in the workspace.",
      },
    );
  else if (!hasPath && !hasRef) {
    const sources = type === "oci_image" || type === null ? "neither a path nor a ref" : "no path";
    context.faults.add(node, `${label(path)} has ${sources}.`);
  }
}

function checkPath(context: RuleContext, node: YamlNode, value: string, path: YamlPath): void {
  if (value.length > maxPathLength) {
    context.faults.add(
      node,
      `${label(path)} has ${value.length} characters, and at most ${maxPathLength} are allowed.`,
    );
    return;
  }
  const filled = checkTemplate(context, node, value);
  const fault = filled === null ? null : artifactPathFault(filled);
  if (fault !== null) context.faults.add(node, `${label(path)} ${fault}.`);
}

function checkReference(context: RuleContext, node: YamlNode, value: string, path: YamlPath): void {
  const filled = checkTemplate(context, node, value);
  if (filled === null) return;
  if (value.length > maxReferenceLength || !imageReference.test(filled))
    context.faults.add(node, `${label(path)} is not an image reference: ${quoted(value)}.`, {
      remedy: 'Write it like "registry.example/team/app:{{ .commit }}", with the repository in lower case.',
    });
}

/** Derives the name of an unnamed output from its path or ref, or returns null when that is not a valid name. */
export function defaultOutputName(path: string | null, ref: string | null): string | null {
  const source =
    path === null ? repositoryName(ref ?? "") : (cleanArtifactPath(path).split("/").at(-1) ?? "");
  return isOutputName(source) ? source : null;
}

/** `registry:5000/team/app:tag@digest` → `app`. */
function repositoryName(ref: string): string {
  const last = ref.split("@")[0]?.split("/").at(-1) ?? "";
  return last.split(":")[0] ?? "";
}

function checkUnique(context: RuleContext, declared: readonly DeclaredOutput[]): void {
  const first = new Map<string, Span>();
  for (const { name, at } of declared) {
    if (name === null) continue;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, at);
    else
      context.faults.add(
        at,
        `Two outputs are called ${quoted(name)}. The first is in line ${lineOf(context, earlier)}.`,
        {
          remedy: "Give one of them another `name`.",
        },
      );
  }
}
