#!/usr/bin/env node
// The `shipinator` command. Plain JavaScript that an old Node parses too, so that it can say what is wrong or hand over
// to the Node that a checkout pins (the `node` package among the development dependencies).
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const REQUIRED = "24.16";
const ENVIRONMENT_ERROR = 3;

const local = (relative) => fileURLToPath(new URL(relative, import.meta.url));

function isEnough(version) {
  const [major, minor] = version.split(".").map(Number);
  const [requiredMajor, requiredMinor] = REQUIRED.split(".").map(Number);
  return major > requiredMajor || (major === requiredMajor && minor >= requiredMinor);
}

// Forwards what a supervisor or a terminal sends, and ends as the other Node ends.
function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  endWithNpx(() => child.kill("SIGTERM"));
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`shipinator: cannot start ${node}: ${error.message}; run \`npm ci\` again to restore it.`);
    process.exitCode = ENVIRONMENT_ERROR;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of ["SIGINT", "SIGTERM"]) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    process.exitCode = 128 + constants.signals[signal];
  });
}

// npx runs a command in a shell. A SIGTERM for npx ends the shell alone, and the command would go on as nobody's child.
function endWithNpx(end) {
  if (process.env.npm_lifecycle_event !== "npx") return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, 250);
  timer.unref();
}

// zod brings the messages of 64 languages along, each a module: half of the time that it takes to load. One is spoken.
function loadOneLanguage(specifier, context, next) {
  const found = next(specifier, context);
  if (!found.url.endsWith("/zod/v4/locales/index.js")) return found;
  return { ...found, url: new URL("./en.js", found.url).href };
}

if (isEnough(process.versions.node)) {
  endWithNpx(() => process.kill(process.pid, "SIGTERM"));
  module.registerHooks({ resolve: loadOneLanguage });
  if (existsSync(local("./main.ts"))) {
    module.enableCompileCache(local("../node_modules/.cache/shipinator"));
    await import("./main.ts");
  } else {
    await import("../dist/main.js");
  }
} else if (existsSync(local("../node_modules/node/bin/node"))) {
  runWith(local("../node_modules/node/bin/node"));
} else {
  console.error(
    `shipinator: this is Node ${process.versions.node}, and code written for Node ${REQUIRED} would break on it halfway; ` +
      `install Node ${REQUIRED} or later (in a checkout, \`npm ci\` brings it).`,
  );
  process.exitCode = ENVIRONMENT_ERROR;
}
