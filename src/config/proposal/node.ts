/** Proposal for a Node package: the package manager of its lockfile, and its scripts. */
import { type Proposal, type ProposedStep, type RepositoryFiles, safeName } from "./proposal.ts";

interface Manager {
  readonly name: "npm" | "yarn" | "pnpm" | "bun";
  readonly lockfile: string;
  readonly install: string;
}

const managers: readonly Manager[] = [
  { name: "pnpm", lockfile: "pnpm-lock.yaml", install: "pnpm install --frozen-lockfile" },
  { name: "yarn", lockfile: "yarn.lock", install: "yarn install --frozen-lockfile" },
  { name: "bun", lockfile: "bun.lock", install: "bun install --frozen-lockfile" },
  { name: "bun", lockfile: "bun.lockb", install: "bun install --frozen-lockfile" },
  { name: "npm", lockfile: "npm-shrinkwrap.json", install: "npm ci" },
  { name: "npm", lockfile: "package-lock.json", install: "npm ci" },
];

/** The test script that npm writes into a new package. It always fails. */
const placeholderTest = /no test specified/;
const checkScripts = ["lint", "typecheck", "type-check", "check"];

export function proposeNode(files: RepositoryFiles): Proposal | null {
  const content = files.get("package.json");
  if (content === undefined) return null;
  const manifest = readManifest(content ?? "");
  const manager = managers.find(({ lockfile }) => files.has(lockfile));
  const installs = manager !== undefined || manifest.hasDependencies;
  const install: ProposedStep[] = installs
    ? [
        {
          name: "install",
          comment: "Each stage has its own checkout, so each one installs.",
          run: [manager?.install ?? "npm install"],
        },
      ]
    : [];
  const run = (script: string) => `${manager?.name ?? "npm"} run ${script}`;
  const build: ProposedStep[] = [];
  if (manifest.scripts.has("build")) build.push({ name: "build", run: [run("build")] });
  if (manifest.packageName !== null)
    build.push({
      name: "pack",
      comment: "The package as it would be published.",
      run: ["npm pack"],
      outputs: [{ type: "binary", name: manifest.packageName, path: "*.tgz" }],
    });
  const test: ProposedStep[] = checkScripts
    .filter((name) => manifest.scripts.has(name))
    .map((name) => ({ name, run: [run(name)] }));
  const script = manifest.scripts.get("test");
  if (script !== undefined && !placeholderTest.test(script)) test.push({ name: "unit", run: [run("test")] });
  if (build.length === 0 && test.length === 0)
    build.push({
      name: "look",
      comment: "package.json has no script to build or test. Replace this step.",
      run: ["node --version"],
    });
  return {
    kind: "node",
    source: "package.json",
    build: build.length === 0 ? [] : [...install, ...build],
    test: test.length === 0 ? [] : [...install, ...test],
    suggestions: [],
  };
}

interface Manifest {
  readonly scripts: ReadonlyMap<string, string>;
  readonly hasDependencies: boolean;
  /** Name of the artifact of `npm pack`, or null for a private or unnamed package. */
  readonly packageName: string | null;
}

function readManifest(content: string): Manifest {
  const manifest = parseObject(content);
  const scripts = new Map(
    Object.entries(objectOf(manifest.scripts)).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string" && entry[1].trim() !== "",
    ),
  );
  const dependencies = { ...objectOf(manifest.dependencies), ...objectOf(manifest.devDependencies) };
  const name = typeof manifest.name === "string" ? safeName(manifest.name.replace(/^@[^/]*\//, "")) : null;
  const publishable = typeof manifest.version === "string" && manifest.private !== true;
  return {
    scripts,
    hasDependencies: Object.keys(dependencies).length > 0,
    packageName: publishable ? name : null,
  };
}

function parseObject(content: string): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(content));
  } catch {
    // A broken package.json is ignored, because the proposal uses only what it can read.
    return {};
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
