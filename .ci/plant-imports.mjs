// Proves that the linter holds the module boundaries: plants one fault a file in a temporary tree that has every module
// of the table, lints it once with the project's own configuration, and fails when a fault went unreported or when
// something allowed was reported. Also fails when src has a folder that the table does not know.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { mayImportPackage, modules, packageOwners, submodules } from "./boundaries.mjs";

const IMPORTS = "lint/style/noRestrictedImports";
const GLOBALS = "lint/style/noRestrictedGlobals";
const BOUNDARY_RULES = [IMPORTS, GLOBALS];

const plants = [];

/** One fault in a file of its own: `rule` must be reported there, or (null) no boundary rule may be. */
function plant(folder, what, rule, source) {
  plants.push({ file: `${folder}/planted-${plants.length}.ts`, what, rule, source });
}

const take = (from) => `import { face } from "${from}";\n\nexport const taken = face;\n`;

// The ways to import: each must be seen.
const forms = {
  import: take,
  "import type": (from) => `import type { Face } from "${from}";\n\nexport type Taken = Face;\n`,
  "export from": (from) => `export { face } from "${from}";\n`,
  "import()": (from) => `export const load = () => import("${from}");\n`,
  "bare import": (from) => `import "${from}";\n`,
};

function packageName(name) {
  return name.replace(/\*$/, "anything");
}

function plantPackages(folder, place) {
  for (const name of Object.keys(packageOwners)) {
    const rule = mayImportPackage(name, place) ? null : IMPORTS;
    plant(folder, `package ${name}`, rule, take(packageName(name)));
    plant(folder, `file of package ${name}`, rule, take(`${packageName(name)}/lib/deep.js`));
  }
  plant(folder, "process", place === "main.ts" ? null : GLOBALS, "export const arguments_ = process.argv;\n");
}

function plantImports(folder, up, allowed, names) {
  for (const name of names) {
    const rule = allowed.includes(name) ? null : IMPORTS;
    for (const [form, source] of Object.entries(forms)) {
      plant(folder, `${form} of ${name}`, rule, source(`${up}${name}/index.ts`));
    }
    plant(folder, `past the public API of ${name}`, IMPORTS, take(`${up}${name}/inner.ts`));
    plant(folder, `deep past the public API of ${name}`, IMPORTS, take(`${up}${name}/within/inner.ts`));
  }
  for (const file of ["mask.ts", "main.ts"]) plant(folder, file, IMPORTS, take(`${up}${file}`));
  plant(folder, "the tests", IMPORTS, take(`${up}../test/support/index.ts`));
}

const moduleNames = Object.keys(modules);
for (const [module, allowed] of Object.entries(modules)) {
  const others = moduleNames.filter((name) => name !== module);
  for (const [depth, folder] of [
    `src/${module}`,
    `src/${module}/within`,
    `src/${module}/within/deeper`,
  ].entries()) {
    plantImports(folder, "../".repeat(depth + 1), allowed, others);
  }
  plantPackages(`src/${module}`, module);
  plant(`src/${module}/within`, "its own module", null, take("../inner.ts"));
  plant(`src/${module}`, "its own folder", null, take("./within/inner.ts"));
  for (const submodule of submodules[module] ?? []) {
    const siblings = submodules[module].filter((name) => name !== submodule);
    const folder = `src/${module}/${submodule}`;
    plantImports(folder, "../../", allowed, others);
    plantPackages(folder, `${module}/${submodule}`);
    for (const sibling of siblings)
      plant(folder, `sibling ${sibling}`, IMPORTS, take(`../${sibling}/index.ts`));
    plant(folder, "what the submodules share", null, take("../inner.ts"));
    plant(`src/${module}`, `public API of ${submodule}`, null, take(`./${submodule}/index.ts`));
    plant(`src/${module}`, `past the public API of ${submodule}`, IMPORTS, take(`./${submodule}/inner.ts`));
  }
}

// A test may import public APIs, and the inside of the module that its folder is named after.
function plantTests(folder, up, own) {
  for (const module of moduleNames) {
    const rule = module === own ? null : IMPORTS;
    for (const [form, source] of Object.entries(own === module ? { import: take } : forms))
      plant(folder, `${form} past the public API of ${module}`, rule, source(`${up}src/${module}/inner.ts`));
    plant(folder, `public API of ${module}`, null, take(`${up}src/${module}/index.ts`));
    plant(folder, `deep past the public API of ${module}`, rule, take(`${up}src/${module}/within/inner.ts`));
    for (const submodule of submodules[module] ?? [])
      plant(folder, `public API of ${submodule}`, null, take(`${up}src/${module}/${submodule}/index.ts`));
  }
}
for (const folder of ["test/support", "test/pg"]) plantTests(folder, "../../");
for (const [folder, up] of [
  ["test/pg/store", "../../../"],
  ["test/e2e/store/within", "../../../../"],
])
  plantTests(folder, up, "store");
for (const module of moduleNames)
  plant(
    `test/unit/${module}`,
    "the module of its folder",
    null,
    take(`../../../src/${module}/within/inner.ts`),
  );
plantTests("test/e2e/elsewhere/store", "../../../../");

// What lies beside the modules are single files: their faults stand in one file each, found again by line.
const top = { "mask.ts": [], "main.ts": [] };
for (const file of Object.keys(top)) {
  for (const module of moduleNames) {
    top[file].push(
      [`./${module}/index.ts`, false],
      [`./${module}/inner.ts`, module !== "app" || file !== "main.ts"],
      [`./${module}/within/index.ts`, true],
    );
  }
  for (const name of Object.keys(packageOwners))
    top[file].push([packageName(name), !mayImportPackage(name, file)]);
  top[file].push([file === "mask.ts" ? "./main.ts" : "./mask.ts", true], ["../test/support/index.ts", true]);
}

// Other rules of the linter, one fault each.
plant(
  "src/kernel",
  "floating promise",
  "lint/nursery/noFloatingPromises",
  "const wait = async () => 1;\n\nwait();\n",
);
plant(
  "src/kernel",
  "misused promise",
  "lint/nursery/noMisusedPromises",
  "const wait = async () => true;\n\nexport const answer = () => {\n  if (wait()) return 1;\n  return 2;\n};\n",
);
plant("src/domain", "default export", "lint/style/noDefaultExport", "export default 1;\n");
plant("src/domain", "enum", "lint/style/noEnum", 'export enum Color {\n  Red = "red",\n}\n');
plant("src/domain", "any", "lint/suspicious/noExplicitAny", "export const value: any = 1;\n");
plant(
  "src/domain",
  "non-null assertion",
  "lint/style/noNonNullAssertion",
  "export const f = (x?: { y: 1 }) => x!.y;\n",
);
plant(
  "src/domain",
  "type import",
  "lint/style/useImportType",
  'import { Face } from "./index.ts";\n\nexport type A = Face;\n',
);
plants.push({
  file: "src/domain/badName.ts",
  what: "file name",
  rule: "lint/style/useFilenamingConvention",
  source: "export const a = 1;\n",
});
const circle = (other) =>
  `import { name as other } from "./${other}.ts";\n\nexport const name = () => other;\n`;
for (const [mine, other] of [
  ["circle-a", "circle-b"],
  ["circle-b", "circle-a"],
]) {
  plants.push({
    file: `src/logs/${mine}.ts`,
    what: "import cycle",
    rule: "lint/suspicious/noImportCycles",
    source: circle(other),
  });
}

function write(tree, file, source) {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), source);
}

function build(tree) {
  for (const file of ["biome.json", ".ci/boundaries.json", ".gitignore", "package.json"])
    cpSync(file, join(tree, file));
  const face = "export const face = 1;\nexport type Face = number;\n";
  const folders = moduleNames.flatMap((module) => [
    module,
    `${module}/within`,
    ...(submodules[module] ?? []).map((submodule) => `${module}/${submodule}`),
  ]);
  for (const folder of folders)
    for (const file of ["index.ts", "inner.ts"]) write(tree, `src/${folder}/${file}`, face);
  for (const { file, source } of plants) write(tree, file, source);
  for (const [file, imports] of Object.entries(top)) {
    write(
      tree,
      `src/${file}`,
      `${imports.map(([from], n) => `export { face as f${n} } from "${from}";`).join("\n")}\n`,
    );
  }
}

function lint(tree) {
  const args = [
    "lint",
    "--reporter=json",
    "--max-diagnostics=none",
    "--diagnostic-level=info",
    "src",
    "test",
  ];
  const result = spawnSync("biome", args, { cwd: tree, encoding: "utf8", maxBuffer: 1 << 30 });
  if (!result.stdout.startsWith("{"))
    throw new Error(`biome said nothing that can be read:\n${result.stderr}`);
  return JSON.parse(result.stdout).diagnostics;
}

const problems = [];

const tree = mkdtempSync(join(tmpdir(), "shipinator-plants-"));
try {
  build(tree);
  const found = new Map();
  for (const { category, location } of lint(tree)) {
    const path = typeof location.path === "string" ? location.path : location.path.file;
    const at = found.get(path) ?? { rules: new Set(), lines: new Set() };
    at.rules.add(category);
    if (category === IMPORTS) at.lines.add(location.start.line);
    found.set(path, at);
  }
  for (const { file, what, rule } of plants) {
    const reported = found.get(file)?.rules ?? new Set();
    if (rule !== null && !reported.has(rule))
      problems.push(`not reported: ${dirname(file)} ← ${what} (${rule})`);
    if (rule === null && BOUNDARY_RULES.some((name) => reported.has(name))) {
      problems.push(`reported although allowed: ${dirname(file)} ← ${what}`);
    }
  }
  for (const [file, imports] of Object.entries(top)) {
    const lines = found.get(`src/${file}`)?.lines ?? new Set();
    for (const [n, [from, wrong]] of imports.entries()) {
      if (lines.has(n + 1) !== wrong)
        problems.push(`${wrong ? "not reported" : "reported although allowed"}: src/${file} ← ${from}`);
    }
  }
} finally {
  rmSync(tree, { recursive: true, force: true });
}

for (const entry of readdirSync("src", { withFileTypes: true })) {
  if (entry.isDirectory() && !(entry.name in modules)) {
    problems.push(`src/${entry.name} is no module of the table in .ci/boundaries.mjs`);
  }
  if (entry.isDirectory() && entry.name !== "app" && !existsSync(`src/${entry.name}/index.ts`))
    problems.push(`src/${entry.name} has no index.ts`);
}
for (const file of globSync("src/*/*/*/*/**"))
  problems.push(`${file} lies deeper than the boundary rules reach`);

for (const problem of problems) console.error(problem);
const count = plants.length + Object.values(top).flat().length;
console.log(`${count} planted imports, ${problems.length} not treated as the table says`);
process.exitCode = problems.length === 0 ? 0 : 1;
