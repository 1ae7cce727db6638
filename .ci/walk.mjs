// Walks through the README's server as a reader does: every `$ ` line of the section is run as it stands, the first one in
// a terminal of its own, and what the README shows of its output must be there. Numbers, times, ids and paths may differ.
//
//   node .ci/walk.mjs        in a checkout after `npm ci`, as an ordinary user, with the port of the README free
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const section = /^## A server for a team\n(.*?)^## /ms.exec(readFileSync("README.md", "utf8"))?.[1] ?? "";
const blocks = [...section.matchAll(/^```\n(.*?)^```$/gms)].map(([, text]) => text);
const steps = blocks.flatMap((block) =>
  block.startsWith("$ ")
    ? block
        .slice(2)
        .split(/^\$ /m)
        .map((text) => text.trimEnd().split("\n"))
        .map(([command, ...shown]) => ({ command, shown: shown.filter((line) => line !== "…") }))
    : [],
);
const [first, ...others] = steps;
if (first === undefined || others.length === 0) throw new Error("the README has no walk-through");

/** What the README shows, as a pattern: one that any machine's output fits. */
function pattern(line) {
  const parts = line.trim().split(/(\s+)/);
  const any = (part) => {
    if (/^\s+$/.test(part)) return "\\s+";
    if (/^\/|^sha256:|^[0-9a-f]{7,}$/.test(part)) return "\\S+";
    return part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/\d+/g, "\\d+");
  };
  return new RegExp(parts.map(any).join(""));
}

function start(command) {
  console.log(`$ ${command}`);
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve(code ?? signal)));
  const state = { child, output: "", ended };
  const hear = (text) => {
    state.output += text;
    process.stdout.write(text);
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  return state;
}

/** The lines that the output lacks. Of a note that is wrapped for the page, the line ends are not its own. */
function missing(shown, output) {
  const flat = output.replace(/\s+/g, " ");
  return shown.filter((line) => !pattern(line).test(flat));
}

const faults = [];
const server = start(first.command);
const deadline = Date.now() + 60_000;
while (missing(first.shown, server.output).length > 0) {
  const over = await Promise.race([server.ended, new Promise((wake) => setTimeout(wake, 100))]);
  if (over === undefined && Date.now() < deadline) continue;
  faults.push(`$ ${first.command}\n  does not say: ${missing(first.shown, server.output).join("\n  ")}`);
  break;
}
for (const { command, shown } of faults.length === 0 ? others : []) {
  const step = start(command);
  const code = await step.ended;
  if (code !== 0) faults.push(`$ ${command}\n  ended with ${code}`);
  const lacks = missing(shown, step.output);
  if (lacks.length > 0) faults.push(`$ ${command}\n  does not say: ${lacks.join("\n  ")}`);
}
// As Ctrl-C does: it reaches the shell, too, which tells of no exit code then.
process.kill(-server.child.pid, "SIGINT");
await server.ended;
if (!server.output.includes('"msg":"stopped"')) faults.push(`$ ${first.command}\n  does not stop at Ctrl-C`);
for (const fault of faults) console.error(`NOT AS IN THE README: ${fault}`);
console.log(`${steps.length} commands of the README, ${faults.length} not as it says`);
process.exitCode = faults.length === 0 ? 0 : 1;
