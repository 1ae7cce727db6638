/** What is not one language's: make, images, charts. */
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
        comment: "Declare what it makes under `outputs`, so that later stages find it.",
        run: [build === undefined ? "make" : `make ${build}`],
      },
    ],
    test: test === undefined ? [] : [{ name: test, run: [`make ${test}`] }],
    later: [],
  };
}

/** Names before a single colon at the start of a line; variables and patterns are left out. */
function makeTargets(content: string): ReadonlySet<string> {
  const targets = new Set<string>();
  // What ends in `:=`, `::=` or `:::=` gives a variable its value.
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
      comment: "The chart's directory is packaged as it is here.",
      run: [`test -f ${path}`],
    };
    const output = { type: "helm_chart", name: charts.length === 1 ? "chart" : name } as const;
    if (directory !== ".") return { ...step, outputs: [{ ...output, path: directory }] };
    // The root cannot be an output: it holds everything else as well.
    const parts = chartParts.filter((part) => [...files.keys()].some((file) => file.split("/")[0] === part));
    return {
      ...step,
      comment: "The parts of the chart; what else lies beside them stays out of the package.",
      run: [`mkdir -p out/${name}`, `cp -R ${parts.join(" ")} out/${name}/`],
      outputs: [{ ...output, path: `out/${name}` }],
    };
  });
  const [first] = steps;
  if (first === undefined || hasRepeats(steps)) return null;
  const name = first.outputs?.[0]?.name ?? "";
  return {
    kind: "chart",
    source: charts.join(", "),
    build: steps,
    test: [],
    later: [
      [
        "With a cluster in the kubeconfig, this installs or upgrades the chart:",
        "deploy:",
        `  artifact: ${name}`,
        "  namespace: default",
      ],
    ],
  };
}

function hasRepeats(steps: readonly ProposedStep[]): boolean {
  const names = steps.map((step) => step.outputs?.[0]?.name);
  return new Set(names).size < names.length;
}

/** Alone it is the project; beside something else it is left to a person, because docker may not be there. */
export function proposeImage(files: RepositoryFiles, { alone }: { alone: boolean }): Proposal | null {
  if (!files.has("Dockerfile")) return null;
  const run = ["docker build --tag app:local .", "docker save --output image.tar app:local"];
  if (alone)
    return {
      kind: "image",
      source: "Dockerfile",
      build: [{ name: "image", run, outputs: [{ type: "oci_image", name: "image", path: "image.tar" }] }],
      test: [],
      later: [],
    };
  const lines = [
    "Where docker is at hand, this step of the build keeps the image of the Dockerfile:",
    "    - name: image",
    "      run: |",
    ...run.map((line) => `        ${line}`),
    "      outputs:",
    "        - { type: oci_image, name: image, path: image.tar }",
  ];
  return { kind: "image", source: "Dockerfile", build: [], test: [], later: [lines] };
}
