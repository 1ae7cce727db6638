import { describe, expect, it } from "vitest";
import { renderPipelineProblems } from "../../../src/config/index.ts";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";

function render(text: string, paint?: Parameters<typeof renderPipelineProblems>[2]): string {
  const parsed = parsePipelineFile(text, "ci/.shipinator.yaml");
  return parsed.ok
    ? "no problems"
    : renderPipelineProblems(parsed.problems, text, { more: parsed.more, ...paint });
}

describe("problems as text", () => {
  it("shows place, sentence, suggestion, frame and remedy", () => {
    expect(render("build:\n  stepz: []\n  steps:\n    - { name: a, run: 1 }\n")).toBe(
      `ci/.shipinator.yaml:2:3: Unknown key "stepz" in build. Did you mean "steps"?
  1 | build:
  2 |   stepz: []
    |   ^^^^^
  Known here: steps.

ci/.shipinator.yaml:4:23: build.steps[0].run must be text, not the number 1.
  3 |   steps:
  4 |     - { name: a, run: 1 }
    |                       ^
  Write "1" in quotes to make it text.`,
    );
  });

  it("keeps the mark under its place behind tabs", () => {
    expect(render("build: {\tstepz: [] }\n")).toContain("  1 | build: {\tstepz: [] }\n    |         \t^^^^^");
  });

  it("cuts a long line around the place", () => {
    const text = `build: { steps: [{ name: a, run: "${"x".repeat(5000)}", foo: 1 }] }\n`;
    const longest = Math.max(
      ...render(text)
        .split("\n")
        .map((line) => line.length),
    );
    expect(render(text)).toMatch(/\n {4}\| {40}\^\^\^\n/);
    expect(longest).toBeLessThan(130);
  });

  it("never passes control characters on to a terminal", () => {
    const text = `build:\n  "st\\eeps": 1\n  ev\u001b]0;x\u0007il\u202e: 2\n`;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
    expect(render(text)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    const parsed = parsePipelineFile("x", "a\u001b[31mb\nc");
    expect(parsed.ok || renderPipelineProblems(parsed.problems, "x").split("\n")[0]).toContain(
      "a␛[31mb␊c:1:1:",
    );
  });

  it("ends after a hundred", () => {
    const text = Array.from({ length: 150 }, (_, index) => `k${index}: 1\n`).join("");
    expect(render(text).endsWith("\n\nand 50 more")).toBe(true);
    const parsed = parsePipelineFile(text, "f");
    expect(parsed.ok || [parsed.problems.length, parsed.problems.at(-1)?.line, parsed.more]).toEqual([
      100, 100, 50,
    ]);
    expect(render(text.slice(0, text.indexOf("k100:")))).not.toContain(" more");
  });

  it("paints where it is asked to", () => {
    const shown = render("build: 1\n", { paint: (style, text) => `<${style}>${text}</${style}>` });
    expect(shown).toContain("<place>ci/.shipinator.yaml:1:8:</place> <message>build must be");
    expect(shown).toContain("<mark>^</mark>");
  });

  it("gives columns that an editor counts, and an end on the same line", () => {
    const parsed = parsePipelineFile('build: { "é😀": 1, steps: 1 }\n', "f");
    expect(
      parsed.ok || parsed.problems.map(({ line, column, endColumn }) => [line, column, endColumn]),
    ).toEqual([
      [1, 10, 15],
      [1, 27, 28],
    ]);
  });
});
