/** The completion that is printed for bash, in a bash. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { onPath } from "../support/needs.ts";

const launcher = fileURLToPath(new URL("../../../src/launch.js", import.meta.url));
beforeEach((context) => {
  context.skip(!onPath("bash"), "bash is not on PATH");
});

let script = "";
beforeAll(() => {
  script = execFileSync(process.execPath, [launcher, "completion", "bash"], { encoding: "utf8" });
});

/** What is offered at the end of these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const program = `${script}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_shipinator
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const answer = execFileSync("bash", ["-c", program, "bash", "shipinator", ...words], { encoding: "utf8" });
  return answer.split("\n").filter(Boolean);
}

it.each([
  [["tok"], ["token"]],
  [
    ["token", ""],
    ["create", "list", "ls", "revoke"],
  ],
  [["token", "create", "--sc"], ["--scope"]],
  [
    ["token", "create", "--scope", ""],
    ["read", "trigger", "admin"],
  ],
  [
    ["list", "-o", ""],
    ["table", "json", "yaml", "name"],
  ],
  [["ls", "--stat"], ["--status"]],
  [["run", "--ref", ""], []],
  [
    ["completion", ""],
    ["bash", "zsh", "fish"],
  ],
  [
    ["nothing", "res"],
    ["resume", "restore"],
  ],
])("%j: %j", (words, expected) => {
  expect(offered(...words).filter((word) => word !== "--help")).toEqual(expected);
});
