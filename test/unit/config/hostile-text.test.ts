import { proposePipelineFile } from "../../../src/config/index.ts";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";
import { itReadsHostileText, itReadsHostileTextThoroughly } from "../../support/hostile-text.ts";

const quoted = (text: string) => JSON.stringify(text);

itReadsHostileText({
  "a project's files": (text) =>
    ["go.mod", "Cargo.toml", "pyproject.toml", "Makefile", "Chart.yaml", "package.json"].map((name) =>
      proposePipelineFile(
        new Map([
          [name, text],
          [`${name}.other`, text],
          ["test_a.py", text],
          ["src/main.rs", text],
        ]),
      ),
    ),
});

itReadsHostileTextThoroughly({
  "a pipeline file": (text) => parsePipelineFile(text, "f"),
  "values of a pipeline file": (text) =>
    parsePipelineFile(
      `build: { steps: [{ name: ${quoted(text)}, run: ${quoted(text)}, shell: ${quoted(text)}, timeout: ${quoted(text)}, image: ${quoted(text)} }] }`,
      "f",
    ),
  "outputs of a pipeline file": (text) =>
    parsePipelineFile(
      `build: { steps: [{ name: a, run: a, outputs: [{ type: oci_image, ref: ${quoted(text)} }, { type: binary, path: ${quoted(text)} }] }] }`,
      "f",
    ),
  "a deploy of a pipeline file": (text) =>
    parsePipelineFile(
      `deploy: { run: a, namespace: ${quoted(text)}, release: ${quoted(text)}, env: { A: ${quoted(text)} } }`,
      "f",
    ),
});
