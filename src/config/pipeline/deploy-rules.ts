/** Rules for the deploy: its artifact, target and names. */
import { outputTypes } from "../../domain/index.ts";
import { quoted } from "../yaml/faults.ts";
import { nearest } from "../yaml/nearest.ts";
import { keySpanAt, nodeAt, textAt, type YamlNode } from "../yaml/tree.ts";
import type { DeclaredOutput } from "./output-rules.ts";
import { checkTemplate, lineOf, type RuleContext } from "./rule-context.ts";
import { oneOf } from "./shape.ts";
import { checkCommon } from "./step-rules.ts";

const namespacePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Helm allows 53 characters, so that names derived from it stay within the 63 characters of Kubernetes. */
const releasePattern = /^(?=.{1,53}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

export function checkDeploy(context: RuleContext, outputs: readonly DeclaredOutput[]): void {
  const deploy = nodeAt(context.root, ["deploy"]);
  if (deploy?.kind !== "map") return;
  checkCommon(context, ["deploy"]);
  checkTarget(context, deploy);
  checkName(context, deploy, "namespace", namespacePattern, 63);
  checkName(context, deploy, "release", releasePattern, 53);
  const hasRun = deploy.entries.has("run");
  if (!hasRun && deploy.entries.has("shell"))
    context.faults.add(keySpanAt(deploy, ["shell"]), "`shell` has no effect in a deploy without `run`.");
  if (!deploy.entries.has("artifact")) {
    if (!hasRun)
      context.faults.add(
        keySpanAt(context.root, ["deploy"]),
        "The deploy has neither an artifact nor a script.",
        {
          remedy: "Name an `artifact` of the build, or write a script under `run`.",
        },
      );
    return;
  }
  const node = nodeAt(deploy, ["artifact"]);
  const wanted = textAt(node);
  if (node !== undefined && wanted !== undefined) checkArtifact(context, node, wanted, outputs, hasRun);
}

function checkArtifact(
  context: RuleContext,
  node: YamlNode,
  wanted: string,
  outputs: readonly DeclaredOutput[],
  hasRun: boolean,
): void {
  const found = findArtifact(wanted, outputs);
  switch (found.kind) {
    case "found":
      if (!hasRun && (found.output.type === "binary" || found.output.type === "oci_image"))
        context.faults.add(node, `An artifact of type ${found.output.type} needs a deploy script.`, {
          remedy: "Write a script under `run`. The artifact is at $SHIPINATOR_ARTIFACTS_DIR/<name>.",
        });
      return;
    case "test":
      context.faults.add(
        node,
        `${quoted(wanted)} is an artifact of a test, and only outputs of the build can be deployed.`,
        {
          remedy: `Name an output of the build, or move ${quoted(wanted)} to the build.`,
        },
      );
      return;
    case "ambiguous":
      context.faults.add(
        node,
        `${quoted(wanted)} is the type of ${found.outputs.length} outputs: ${found.outputs.map((output) => `${output.name ?? "an unnamed output"} (line ${lineOf(context, output.at)})`).join(", ")}.`,
        { remedy: "Name one of them." },
      );
      return;
    case "absent":
      if (!outputs.some((output) => output.name === null || output.type === null))
        reportAbsent(context, node, wanted, outputs);
  }
}

function reportAbsent(
  context: RuleContext,
  node: YamlNode,
  wanted: string,
  outputs: readonly DeclaredOutput[],
): void {
  const built = outputs.filter((output) => output.stage === "build").flatMap(({ name }) => name ?? []);
  const isType = outputTypes.some((type) => type === wanted);
  const fact = isType
    ? `No output has the type ${wanted}.`
    : `The deploy names the artifact ${quoted(wanted)}, and no build step makes it.`;
  context.faults.add(node, fact, {
    suggestion: isType ? null : nearest(wanted, [...built, ...outputTypes]),
    remedy:
      built.length === 0 ? "Declare it under `outputs` of a build step." : `The build makes ${oneOf(built)}.`,
  });
}

export type FoundArtifact =
  | { readonly kind: "found" | "test"; readonly output: DeclaredOutput }
  | { readonly kind: "ambiguous"; readonly outputs: readonly DeclaredOutput[] }
  | { readonly kind: "absent" };

/** Finds an output by its name, or by a type that exactly one output has. */
export function findArtifact(wanted: string, outputs: readonly DeclaredOutput[]): FoundArtifact {
  const named = outputs.find((output) => output.name === wanted);
  if (named !== undefined) return { kind: named.stage === "build" ? "found" : "test", output: named };
  const ofType = outputs.filter((output) => output.type === wanted);
  const [only] = ofType;
  if (only === undefined) return { kind: "absent" };
  if (ofType.length > 1) return { kind: "ambiguous", outputs: ofType };
  return { kind: only.stage === "build" ? "found" : "test", output: only };
}

function checkTarget(context: RuleContext, deploy: YamlNode): void {
  const node = nodeAt(deploy, ["target"]);
  const target = textAt(node);
  if (node === undefined || target === undefined || context.targets.includes(target)) return;
  context.faults.add(node, `The deploy target ${quoted(target)} is unknown.`, {
    suggestion: nearest(target, context.targets),
    remedy: `Known targets: ${oneOf(context.targets)}.`,
  });
}

function checkName(context: RuleContext, deploy: YamlNode, key: string, pattern: RegExp, max: number): void {
  const node = nodeAt(deploy, [key]);
  const value = textAt(node);
  if (node === undefined || value === undefined) return;
  const filled = checkTemplate(context, node, value);
  if (filled === null || pattern.test(filled)) return;
  context.faults.add(
    node,
    `deploy.${key} must be at most ${max} lower-case letters, digits and "-", a letter or digit at both ends, not ${quoted(value)}.`,
  );
}
