// `npm run check`: every check runs, also after one has failed, and the last lines say which did.
// `npm run check -- types` runs the one named.
import { spawn } from "node:child_process";

const checks = {
  "format and lint": ["biome", "ci", "--colors=off", "--error-on-warnings", "--max-diagnostics=100"],
  boundaries: ["node", ".ci/plant-imports.mjs"],
  language: ["node", ".ci/language.mjs"],
  types: ["tsc", "--noEmit"],
  "dead code": ["knip", "--no-progress"],
  // What clients of an earlier version rely on stands in api/released.json; `npm run api:release` renews it.
  "API of RPC": ["sh", "-ec", "cd api; buf lint; buf breaking --against released.json"],
  contract: ["node", ".ci/contract.ts"],
  "generated files": ["node", ".ci/generated.mjs", "--check"],
};

function run([program, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
    child.on("error", (error) => resolve({ code: 1, output: `${error.message}\n` }));
    child.on("close", (code) => resolve({ code, output: Buffer.concat(output).toString() }));
  });
}

const only = process.argv.slice(2);
const unknown = only.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`no check is called ${unknown.join(", ")}; there are: ${Object.keys(checks).join(", ")}`);
  process.exit(2);
}

const wanted = Object.keys(checks).filter((name) => only.length === 0 || only.includes(name));
const lines = [];
for (const name of wanted) {
  const start = performance.now();
  const { code, output } = await run(checks[name]);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (code !== 0) {
    process.stdout.write(`--- ${name}\n${output}\n`);
    process.exitCode = 1;
  }
  lines.push(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
}
console.log(lines.join("\n"));
