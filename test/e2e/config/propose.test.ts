import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { proposePipelineFile } from "../../../src/config/index.ts";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";

/** Writes the files, and runs every step of the file proposed for them, each stage in a directory of its own. */
function runProposal(files: Record<string, string>): readonly string[] {
  const proposed = proposePipelineFile(new Map(Object.entries(files)));
  const parsed = parsePipelineFile(proposed.text, "f");
  if (!parsed.ok) throw new Error(proposed.text);
  return [parsed.config.build, parsed.config.test].flatMap((stage) => {
    const directory = mkdtempSync(join(tmpdir(), "shipinator-propose-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    for (const [path, content] of Object.entries(files)) writeFileSync(join(directory, path), content);
    return (stage?.steps ?? []).map((step) => {
      execFileSync("sh", ["-e", "-c", step.run], { cwd: directory, stdio: "pipe" });
      for (const { path } of step.outputs)
        if (path !== null && !path.includes("*")) expect(existsSync(join(directory, path))).toBe(true);
      return step.name;
    });
  });
}

describe("the starting file runs", () => {
  it("where nothing is known", () => {
    expect(runProposal({ "README.md": "hello\n" })).toEqual(["hello"]);
  });

  it("in a Node package", () => {
    const scripts = { build: "node --version", test: "node --test" };
    const files = {
      "package.json": JSON.stringify({ name: "small", version: "1.0.0", type: "module", scripts }),
      "small.test.js": 'import { test } from "node:test";\ntest("passes", () => {});\n',
    };
    expect(runProposal(files)).toEqual(["build", "pack", "unit"]);
  });

  it("with a chart", () => {
    expect(runProposal({ "Chart.yaml": "apiVersion: v2\nname: a\nversion: 0.1.0\n" })).toEqual(["chart"]);
  });
});
