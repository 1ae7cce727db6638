import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { renderPipelineProblems } from "../../../src/config/index.ts";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";
import { pipelineJsonSchema } from "../../../src/config/pipeline/json-schema.ts";
import type { PipelineConfig } from "../../../src/domain/index.ts";

const root = join(import.meta.dirname, "../../..");

function example(name: string): PipelineConfig {
  const path = join(root, "examples", name, ".shipinator.yaml");
  const bytes = readFileSync(path);
  const parsed = parsePipelineFile(bytes, path);
  if (!parsed.ok) throw new Error(renderPipelineProblems(parsed.problems, bytes.toString()));
  return parsed.config;
}

const groups = (config: PipelineConfig) => config.test?.steps.map((step) => step.parallelGroup);

describe("the examples", () => {
  it("one-step has one step", () => {
    const config = example("one-step");
    expect(config).toMatchObject({
      build: null,
      deploy: null,
      test: { steps: [{ name: "words", outputs: [] }] },
    });
  });

  it("go-service deploys the binary that it built", () => {
    const config = example("go-service");
    expect(config.build?.steps[0]?.outputs).toEqual([
      { name: "greeter", type: "binary", path: "bin/greeter", ref: null },
    ]);
    expect(config.deploy).toMatchObject({
      artifact: "greeter",
      artifactType: "binary",
      timeoutSeconds: 600,
      env: { CGO_ENABLED: "0" },
    });
    expect(groups(config)).toEqual([null, "parallel-1", "parallel-1"]);
  });

  it("node-package keeps a report of its tests", () => {
    const config = example("node-package");
    expect(config.build?.steps[0]?.outputs).toEqual([
      { name: "package", type: "binary", path: "slug-words-*.tgz", ref: null },
    ]);
    expect(config.test?.steps[0]?.outputs).toEqual([
      { name: "report.xml", type: "test_report", path: "report.xml", ref: null },
    ]);
  });

  it("image-and-chart deploys the chart and names the image by its commit", () => {
    const config = example("image-and-chart");
    expect(config.build?.steps.flatMap((step) => step.outputs)).toEqual([
      { name: "site", type: "oci_image", path: null, ref: "registry.example:5000/demo/site:{{ .commit }}" },
      { name: "chart", type: "helm_chart", path: "chart", ref: null },
    ]);
    expect(config.build?.steps[0]).toMatchObject({
      retry: { max: 2, on: ["timed_out", "executor_lost"] },
      timeoutSeconds: 1200,
    });
    expect(config.deploy).toMatchObject({
      artifact: "chart",
      artifactType: "helm_chart",
      namespace: "demo",
      release: "site",
      run: null,
    });
  });

  it("parallel-groups has a made group, a step between, and a named group", () => {
    expect(groups(example("parallel-groups"))).toEqual([
      "parallel-1",
      "parallel-1",
      null,
      "counts",
      "counts",
      "counts",
    ]);
  });

  it("deploy-only has neither build nor test", () => {
    expect(example("deploy-only")).toMatchObject({
      build: null,
      test: null,
      deploy: {
        artifact: null,
        shell: ["sh", "-eu"],
        timeoutSeconds: 90,
        env: { NOTE: "{{ .pipeline }} run {{ .run_number }}: {{ .short_commit }}" },
      },
    });
  });
});

describe("the JSON Schema", () => {
  const checkedIn: unknown = JSON.parse(
    readFileSync(join(root, "docs/schema/shipinator.schema.json"), "utf8"),
  );

  it("is checked in as it is generated", () => {
    expect(checkedIn).toEqual(pipelineJsonSchema());
  });

  it("describes every field and lets none through that is not known", () => {
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      if ("properties" in node && typeof node.properties === "object" && node.properties !== null) {
        expect(node, path).toMatchObject({ additionalProperties: false });
        for (const [key, field] of Object.entries(node.properties))
          expect(JSON.stringify(field), `${path}.${key}`).toContain("description");
      }
      for (const [key, inner] of Object.entries(node)) walk(inner, `${path}/${key}`);
    };
    walk(checkedIn, "");
  });

  it("says of plain values what the parser says", () => {
    const schema = z.fromJSONSchema(pipelineJsonSchema());
    const good = [
      { "x-shared": [1, { a: null }], deploy: { run: "x" } },
      { build: { steps: [{ name: "a", run: "b", timeout: "1h30m", env: { A: 1, B: true }, retry: 1 }] } },
      { deploy: { run: "x", shell: ["bash"] } },
      {
        test: {
          steps: [
            {
              name: "a",
              run: "b",
              retry: { max: 1, on: ["evicted"] },
              artifacts: [{ type: "coverage", path: "c" }],
            },
          ],
        },
      },
    ];
    const bad = [
      { build: {} },
      { build: { steps: [] } },
      { build: { steps: [{ name: "a b", run: "b" }] } },
      { build: { steps: [{ name: "a", run: "b", timeout: "soon" }] } },
      { build: { steps: [{ name: "a", run: "b", x: 1 }] } },
      { deploy: { run: "x", retry: 1 } },
    ];
    for (const value of good) {
      expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(true);
      expect(parsePipelineFile(JSON.stringify(value), "f").ok, JSON.stringify(value)).toBe(true);
    }
    for (const value of bad) {
      expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(false);
      expect(parsePipelineFile(JSON.stringify(value), "f").ok, JSON.stringify(value)).toBe(false);
    }
  });
});
