// Puts the program into one executable file, bin/hello: its modules in order, their own imports taken out.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const modules = ["greeting", "server", "main"];
const imports = new Set();
const bodies = modules.map((name) => {
  const lines = readFileSync(new URL(`src/${name}.js`, import.meta.url), "utf8").split("\n");
  for (const line of lines) if (line.startsWith("import ") && line.includes('"node:')) imports.add(line);
  return lines
    .filter((line) => !line.startsWith("import "))
    .map((line) => line.replace(/^export /, ""))
    .join("\n")
    .trim();
});
// The `data:` detour lets one file without an ending be a module on every Node from 18 on.
const program = [...imports, ...bodies].join("\n\n");
const encoded = Buffer.from(program).toString("base64");
mkdirSync("bin", { recursive: true });
writeFileSync("bin/hello", `#!/usr/bin/env node\nimport("data:text/javascript;base64,${encoded}");\n`);
chmodSync("bin/hello", 0o755);
console.log(`bin/hello: ${modules.length} modules, ${program.length} characters`);
