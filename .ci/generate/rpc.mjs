// What buf makes of one file of api, on stdout: `node .ci/generate/rpc.mjs v1/shipinator`.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const directory = mkdtempSync(join(tmpdir(), "shipinator-rpc-"));
try {
  const bin = new URL("../../node_modules/.bin", import.meta.url).pathname;
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const api = new URL("../../api", import.meta.url).pathname;
  execFileSync("buf", ["generate", "--output", directory], {
    cwd: api,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const text = readFileSync(join(directory, "src/api/rpc/generated", `${process.argv[2]}_pb.ts`), "utf8");
  process.stdout.write(erasable(text));
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** Node runs types by stripping them, and an enum is no type. */
function erasable(text) {
  return text.replace(/^export enum (\w+) \{\n([^}]*)\}\n/gm, (_whole, name, body) => {
    const members = body.replace(/^( +)(\w+) = (\d+),$/gm, "$1$2: $3,");
    return `export const ${name} = {\n${members}} as const;\nexport type ${name} = (typeof ${name})[keyof typeof ${name}];\n`;
  });
}
