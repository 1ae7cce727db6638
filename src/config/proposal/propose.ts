/** Proposes the initial `.shipinator.yaml` for a repository from its files. */
import { proposeChart, proposeImage, proposeMake } from "./builds.ts";
import { proposeCargo, proposeGo, proposePython } from "./languages.ts";
import { proposeNode } from "./node.ts";
import { type Proposal, type ProposedStep, quotedYaml, type RepositoryFiles } from "./proposal.ts";

export interface ProposedFile {
  /** The text of a valid pipeline file. */
  readonly text: string;
  /** The files on which it is based, as one sentence. */
  readonly reason: string;
}

const languages = [proposeNode, proposeGo, proposeCargo, proposePython];

/** File names whose content `proposePipelineFile` reads. Of other files it needs only the path. */
export const relevantFiles: readonly string[] = [
  "package.json",
  "go.mod",
  "Cargo.toml",
  "pyproject.toml",
  "Makefile",
  "GNUmakefile",
  "makefile",
  "Chart.yaml",
];

export function proposePipelineFile(files: RepositoryFiles): ProposedFile {
  const found = languages.flatMap((propose) => propose(files) ?? []);
  if (found.length === 0) found.push(...[proposeMake(files)].flatMap((proposal) => proposal ?? []));
  const chart = proposeChart(files);
  if (chart !== null) found.push(chart);
  const image = proposeImage(files, { alone: found.length === 0 });
  if (image !== null) found.push(image);
  if (found.length === 0)
    return {
      text: write([fallback]),
      reason: "No known project type was found, so the file has one example step.",
    };
  const sources = found.map((proposal) => proposal.source);
  return { text: write(withUniqueNames(found)), reason: `Based on ${sources.join(", ")}.` };
}

/** Makes names unique: a repeated name gets the kind of its project as a prefix. */
function withUniqueNames(proposals: readonly Proposal[]): readonly Proposal[] {
  const taken = new Set<string>();
  const uniqueName = (kind: string, scope: string, name: string): string => {
    const free = taken.has(`${scope} ${name}`) ? `${kind}-${name}`.slice(0, 64) : name;
    taken.add(`${scope} ${free}`);
    return free;
  };
  return proposals.map((proposal) => {
    const rename = (stage: string) => (step: ProposedStep) => ({
      ...step,
      name: uniqueName(proposal.kind, stage, step.name),
      outputs:
        step.outputs?.map((output) => ({
          ...output,
          name: uniqueName(proposal.kind, "output", output.name),
        })) ?? [],
    });
    return {
      ...proposal,
      build: proposal.build.map(rename("build")),
      test: proposal.test.map(rename("test")),
    };
  });
}

const fallback: Proposal = {
  kind: "first",
  source: "nothing",
  build: [
    {
      name: "hello",
      comment: "Replace this with the commands that build the project.",
      run: ["echo 'Hello from Shipinator'", "ls"],
    },
  ],
  test: [],
  suggestions: [],
};

const header = `# Shipinator runs build, test and deploy, in this order. Check the file with: shipinator validate
# Each stage starts in a fresh checkout with the outputs of the build.
`;

const deployHint = `
# deploy:
#   artifact: NAME        # an output of the build
#   run: |                # a script; the artifact is at $SHIPINATOR_ARTIFACTS_DIR/NAME
#     install -D "$SHIPINATOR_ARTIFACTS_DIR/NAME" "$HOME/bin/NAME"
`;

function write(proposals: readonly Proposal[]): string {
  const stages = (["build", "test"] as const).map((stage) => {
    const steps = proposals.flatMap((proposal) => proposal[stage]);
    if (steps.length === 0) return "";
    return `\n${stage}:\n  steps:\n${steps.map((step) => writeStep(step, stage)).join("\n")}`;
  });
  const later = proposals.flatMap((proposal) => proposal.suggestions);
  const comments = later.map((block) => `\n${block.map((line) => `# ${line}`.trimEnd()).join("\n")}\n`);
  const hasDeploy = later.some((block) => block.includes("deploy:"));
  return [header, ...stages, ...comments, hasDeploy ? "" : deployHint].join("");
}

function writeStep(step: ProposedStep, stage: "build" | "test"): string {
  const lines = [
    ...(step.comment === undefined ? [] : [`# ${step.comment}`]),
    `- name: ${quotedYaml(step.name)}`,
    ...(step.run.length === 1
      ? [`  run: ${quotedYaml(step.run[0] ?? "")}`]
      : ["  run: |", ...step.run.map((line) => `    ${line}`)]),
  ];
  const outputs = step.outputs ?? [];
  if (outputs.length > 0) lines.push(stage === "build" ? "  outputs:" : "  artifacts:");
  for (const { type, name, path } of outputs)
    lines.push(`    - { type: ${type}, name: ${quotedYaml(name)}, path: ${quotedYaml(path)} }`);
  return `${lines.map((line) => `    ${line}`).join("\n")}\n`;
}
