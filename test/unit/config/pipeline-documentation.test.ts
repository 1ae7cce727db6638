import { describe, expect, it } from "vitest";
import { renderPipelineProblems } from "../../../src/config/index.ts";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";
import { pipelineJsonSchema } from "../../../src/config/pipeline/json-schema.ts";
import {
  failureReasons,
  outputTypes,
  retryableReasons,
  templateVariableNames,
  testArtifactTypes,
} from "../../../src/domain/index.ts";
import { fencesOf, read } from "../docs/support.ts";

const page = read("docs/pipeline-file.md");

describe("the files that the documentation shows", () => {
  for (const file of ["README.md", "docs/pipeline-file.md"]) {
    const blocks = fencesOf(read(file)).filter(({ language }) => language === "yaml");
    it(`${file} shows some`, () => expect(blocks.length).toBeGreaterThan(0));
    it.each(blocks)(`${file}:$line parses`, ({ text }) => {
      const parsed = parsePipelineFile(text, file);
      expect(parsed.ok ? "" : renderPipelineProblems(parsed.problems, text)).toBe("");
    });
  }
});

describe("docs/pipeline-file.md", () => {
  it("names every key of the schema", () => {
    const keys = [...keysOf(pipelineJsonSchema())];
    expect(keys).toEqual(
      expect.arrayContaining(["defaults", "submodules", "build", "test", "deploy", "steps"]),
    );
    expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
  });

  it("has a row for every key of the top level", () => {
    const top = Object.keys(propertiesOf(pipelineJsonSchema()));
    expect(top.filter((key) => !page.includes(`\n| \`${key}\` |`))).toEqual([]);
  });

  it("has a row for every failure reason, and no other", () => {
    const table = page.slice(page.indexOf("## Failure reasons"), page.indexOf("## Errors in the file"));
    const rows = [...table.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, reason]) => reason);
    expect(rows.toSorted()).toEqual([...failureReasons].sort());
  });

  it("names the reasons that a retry may name, the types and the template variables", () => {
    const words = [...retryableReasons, ...outputTypes, ...testArtifactTypes, ...templateVariableNames];
    expect(words.filter((word) => !page.includes(`\`${word}\``))).toEqual([]);
  });
});

function propertiesOf(node: unknown): Readonly<Record<string, unknown>> {
  if (typeof node !== "object" || node === null || !("properties" in node)) return {};
  return Object.fromEntries(Object.entries(node.properties ?? {}));
}

/** Every property's name, however deep; the names in `env` are the user's. */
function keysOf(node: unknown): ReadonlySet<string> {
  if (typeof node !== "object" || node === null) return new Set();
  const inner = Object.values(node).flatMap((value) => [...keysOf(value)]);
  return new Set([...Object.keys(propertiesOf(node)), ...inner]);
}
