/**
 * Text of others, 100 kB of what makes an expression try again and again. Each reader takes 2 s for all of them on a slow
 * machine; one that takes time in the square of the text takes more than a minute, and runs into the timeout.
 */
import { describe, expect, it } from "vitest";
import { parseImageReference } from "../../src/artifacts/images/registry.ts";
import { sanitizeKeepingColors, sanitizeName, sanitizeText } from "../../src/cli/terminal/sanitize.ts";
import { proposePipelineFile } from "../../src/config/index.ts";
import { parsePipelineFile } from "../../src/config/pipeline/file.ts";
import { parseTemplate } from "../../src/domain/index.ts";
import { isPattern, literalPrefix } from "../../src/executor/local/outputs/glob.ts";
import { pathFault } from "../../src/executor/local/outputs/outputs.ts";
import { Problem, withoutTrailing } from "../../src/kernel/index.ts";
import { maskPatterns } from "../../src/masking/index.ts";
import { explainGit, looksCorrupt } from "../../src/source/git/problem.ts";
import { checkRef } from "../../src/source/git/ref.ts";
import { checkUrl, isSameHost, isSshAddress, resolveSubmoduleUrl } from "../../src/source/git/url.ts";

const units = [
  ..."a/\\-_.: =~@#[{\"'\r\n\t0",
  ...[
    "a.",
    "a-",
    "a/",
    "://",
    "://a",
    "a@",
    "{{",
    "{{ ",
    "a: ",
    "- ",
    "\n\n",
    "\n ",
    'x="',
    "aa_",
    "pack ",
    "not ",
    "é",
    "\u0000",
  ],
  ...["\x1b[", "\x1b]", "\x9b0", "\x1b[0;", "${", "%41", "http://", "../", "./", "repository "],
];
const bodies = units.map((unit) => unit.repeat(Math.ceil(100_000 / unit.length)));
const hostile = bodies.flatMap((body) => [body, `x${body}!`, `https://h/${body}x`]);
/** Readers that do much with each character, in time that is in proportion to them. */
const thorough = new Set([
  "a secret",
  "a submodule's address",
  ...[
    "a pipeline file",
    "values of a pipeline file",
    "outputs of a pipeline file",
    "a deploy of a pipeline file",
  ],
]);

const policy = { allowHttp: true, allowLocal: true };
const quoted = (text: string) => JSON.stringify(text);

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  "an address": (text) => checkUrl(text, policy),
  "two addresses": (text) => [isSameHost(text, text), isSshAddress(text)],
  "a submodule's address": (text) => resolveSubmoduleUrl(text, `../${text}`),
  "a ref": checkRef,
  "an image reference": parseImageReference,
  "git's errors": (text) => explainGit({ stderr: `error: ${text}`, code: 1 }, "it"),
  "git's errors, looked through": looksCorrupt,
  "a template": parseTemplate,
  "a path of an output": (text) => [pathFault(text), isPattern(text), literalPrefix(text)],
  "text without its end": (text) => withoutTrailing(text, "/\\"),
  "text on a terminal": sanitizeText,
  "a name on a terminal": sanitizeName,
  "colours on a terminal": sanitizeKeepingColors,
  // A secret is written in some fifty forms, so a fifth of the text is as much work as the others have.
  "a secret": (text) => maskPatterns([text.slice(0, 20_000)]),
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
};

describe("hostile text is read in time", { timeout: 30_000 }, () => {
  it.each(Object.entries(readers))("as %s", (name, read) => {
    const texts = thorough.has(name) ? bodies : hostile;
    let count = 0;
    for (const text of texts) {
      try {
        read(text);
      } catch (error) {
        // A refusal is an answer; anything else, such as an exhausted stack, is not.
        expect(error).toBeInstanceOf(Problem);
      }
      count++;
    }
    expect(count).toBe(texts.length);
  });
});
