/** Proposals for make, images and charts. */
import { type Proposal, type ProposedStep, type RepositoryFiles, safeName } from "./proposal.ts";

const makefiles = ["GNUmakefile", "makefile", "Makefile"];

export function proposeMake(files: RepositoryFiles): Proposal | null {
  const path = makefiles.find((name) => files.has(name));
  if (path === undefined) return null;
  const targets = makeTargets(files.get(path) ?? "");
  const build = ["build", "all"].find((target) => targets.has(target));
  const test = ["test", "check"].find((target) => targets.has(target));
  return {
    kind: "make",
    source: path,
    build: [
      {
        name: "make",
        comment: "Declare the files that it makes under `outputs` to pass them to later stages.",
        run: [build === undefined ? "make" : `make ${build}`],
      },
    ],
    test: test === undefined ? [] : [{ name: test, run: [`make ${test}`] }],
    suggestions: [],
  };
}

/** Finds names before a colon at the start of a line. Variables and patterns are left out. */
function makeTargets(content: string): ReadonlySet<string> {
  const targets = new Set<string>();
  // `:=`, `::=` and `:::=` assign a variable.
  for (const match of content.matchAll(/^([A-Za-z0-9_.-][A-Za-z0-9_. -]*):{1,2}(?![:=])/gm))
    for (const target of (match[1] ?? "").split(" ")) targets.add(target);
  return targets;
}

const chartParts = [
  "Chart.yaml",
  "Chart.lock",
  ".helmignore",
  "values.yaml",
  "values.schema.json",
  "templates",
  "crds",
  "charts",
  "README.md",
  "LICENSE",
];

export function proposeChart(files: RepositoryFiles): Proposal | null {
  const charts = [...files.keys()].filter((path) => /^(?:[\w.-]+\/){0,3}Chart\.yaml$/.test(path)).sort();
  const steps: ProposedStep[] = charts.flatMap((path) => {
    const directory = path.slice(0, -"/Chart.yaml".length) || ".";
    const given = /^name:\s*["']?([A-Za-z0-9._-]+)["']?\s*$/m.exec(files.get(path) ?? "")?.[1];
    const name = safeName(given) ?? safeName(directory === "." ? "chart" : directory.split("/").at(-1));
    if (name === null) return [];
    const step = {
      name: charts.length === 1 ? "chart" : `chart-${name}`.slice(0, 64),
      comment: "Packages the directory of the chart.",
      run: [`test -f ${path}`],
    };
    const output = { type: "helm_chart", name: charts.length === 1 ? "chart" : name } as const;
    if (directory !== ".") return { ...step, outputs: [{ ...output, path: directory }] };
    // The root cannot be an output, because it contains everything else.
    const parts = chartParts.filter((part) => [...files.keys()].some((file) => file.split("/")[0] === part));
    return {
      ...step,
      comment: "Copies the files of the chart without the rest of the repository.",
      run: [`mkdir -p out/${name}`, `cp -R ${parts.join(" ")} out/${name}/`],
      outputs: [{ ...output, path: `out/${name}` }],
    };
  });
  const [first] = steps;
  if (first === undefined || hasDuplicates(steps)) return null;
  const name = first.outputs?.[0]?.name ?? "";
  return {
    kind: "chart",
    source: charts.join(", "),
    build: steps,
    test: [],
    suggestions: [
      [
        "With a cluster in the kubeconfig, this installs or upgrades the chart:",
        "deploy:",
        `  artifact: ${name}`,
        "  namespace: default",
      ],
    ],
  };
}

function hasDuplicates(steps: readonly ProposedStep[]): boolean {
  const names = steps.map((step) => step.outputs?.[0]?.name);
  return new Set(names).size < names.length;
}

/** Proposes the image as a step when it is the whole project, else as a comment, because docker may not be available. */
export function proposeImage(files: RepositoryFiles, { alone }: { alone: boolean }): Proposal | null {
  if (!files.has("Dockerfile")) return null;
  const run = ["docker build --tag app:local .", "docker save --output image.tar app:local"];
  if (alone)
    return {
      kind: "image",
      source: "Dockerfile",
      build: [{ name: "image", run, outputs: [{ type: "oci_image", name: "image", path: "image.tar" }] }],
      test: [],
      suggestions: [],
    };
  const lines = [
    "If docker is available, this build step stores the image of the Dockerfile:",
    "    - name: image",
    "      run: |",
    ...run.map((line) => `        ${line}`),
    "      outputs:",
    "        - { type: oci_image, name: image, path: image.tar }",
  ];
  return { kind: "image", source: "Dockerfile", build: [], test: [], suggestions: [lines] };
}
