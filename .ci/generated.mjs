// Generated files are checked in. `node .ci/generated.mjs` writes them; with --check it compares and names what differs.
//
// To register one, add [file, description, command] below: the command prints the file's whole content on stdout, and
// .json and .ts are formatted on the way. (A function instead of a command returns the text as it shall stand.)
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { boundaryConfiguration } from "./boundaries.mjs";
import { lockfile } from "./lockfile.mjs";

const generators = [
  [".ci/boundaries.json", "boundary rules of the linter", boundaryConfiguration],
  ["package-lock.json", "dependencies, for every platform", lockfile],
  ["docs/state-machines.md", "diagrams of the state machines", ["node", ".ci/generate/state-machines.ts"]],
  ["docs/cli.md", "the program's commands", ["node", ".ci/generate/cli.ts"]],
  ["docs/configuration.md", "settings of the program", ["node", ".ci/generate/configuration.ts"]],
  ["docs/schema/database.sql", "tables, guards and functions", ["node", ".ci/generate/database-schema.ts"]],
  [
    "docs/schema/shipinator.schema.json",
    "the pipeline file, for editors",
    ["node", ".ci/generate/json-schema.ts"],
  ],
  ["docs/schema/openapi.json", "the API", ["node", ".ci/generate/openapi.ts"]],
  ...["v1/shipinator", "grpc/health/v1/health", "grpc/reflection/v1/reflection"].map((proto) => [
    `src/api/rpc/generated/${proto.split("/").at(-1)}.ts`,
    "code of RPC",
    ["node", ".ci/generate/rpc.mjs", proto],
  ]),
];

function content(file, command) {
  if (typeof command === "function") return command();
  const raw = run(command[0], command.slice(1));
  return /\.(json|ts)$/.test(file) ? run("biome", ["format", `--stdin-file-path=${file}`], raw) : raw;
}

function run(program, args, input = "") {
  return execFileSync(program, args, {
    input,
    encoding: "utf8",
    maxBuffer: 64 << 20,
    stdio: ["pipe", "pipe", "inherit"],
  });
}

const check = process.argv.includes("--check");
let stale = 0;
for (const [file, description, command] of generators) {
  const wanted = content(file, command);
  if (existsSync(file) && readFileSync(file, "utf8") === wanted) continue;
  if (check) {
    stale += 1;
    console.error(
      `${file} (${description}) is not what its generator makes; run \`npm run generate\` and commit it.`,
    );
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, wanted);
    console.log(`wrote ${file} (${description})`);
  }
}
if (check) console.log(`${generators.length - stale} of ${generators.length} generated files are up to date`);
process.exitCode = stale === 0 ? 0 : 1;
