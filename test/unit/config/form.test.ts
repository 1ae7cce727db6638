import { describe, expect, it } from "vitest";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";
import { accept, refuse, refuseOnce } from "./support.ts";

const whole = "build: { steps: [{ name: a, run: b }] }\n";
const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))));

describe("bytes that are no text", () => {
  it("refuses more than 256 KiB and takes exactly that", () => {
    const fill = (size: number) => `${whole}#${"x".repeat(size - whole.length - 1)}`;
    expect(accept(fill(256 * 1024)).config.build?.steps).toHaveLength(1);
    expect(refuseOnce(fill(256 * 1024 + 1))).toBe(
      "1:1: The file has more than 262144 bytes (256 KiB), which is the maximum.",
    );
  });

  it("counts bytes and not characters", () => {
    expect(refuseOnce(`# ${"é".repeat(128 * 1024)}`)).toContain("more than 262144 bytes");
  });

  it("names the place of a byte that is not UTF-8", () => {
    expect(refuseOnce(bytes("# é\nbuild: x", [0xff], "\n"))).toBe(
      "2:9: The byte 0xff at offset 13 is not UTF-8.",
    );
  });

  it("is not misled by a real replacement character or a byte order mark before it", () => {
    expect(refuseOnce(bytes("\uFEFFa\uFFFD", [0xe9, 0x20]))).toBe(
      "1:3: The byte 0xe9 at offset 7 is not UTF-8.",
    );
  });

  it("finds a sequence that ends in the middle, and a surrogate", () => {
    expect(refuseOnce(bytes("ab", [0xe2, 0x82]))).toContain("1:3: The byte 0xe2 at offset 2");
    expect(refuseOnce(bytes("ab\n", [0xed, 0xa0, 0x80]))).toContain("2:1: The byte 0xed at offset 3");
  });

  it("calls a NUL byte binary", () => {
    expect(refuseOnce(bytes("a: b\nc", [0], "d"))).toBe(
      "2:2: The file contains a NUL byte, so it is binary and not YAML.",
    );
  });

  it("calls UTF-16 by its name", () => {
    expect(refuseOnce(Buffer.from("\uFEFFa: b", "utf16le"))).toBe("1:1: The file is encoded as UTF-16.");
  });

  it("takes a byte order mark and Windows' line ends", () => {
    expect(accept(`\uFEFF${whole}`).digest).toBe(accept(whole.replaceAll("\n", "\r\n")).digest);
    expect(refuseOnce("\uFEFFbuild:\r\n  stepz: 1\r\n")).toContain("2:3: Unknown key");
  });
});

describe("text that is no YAML document of ours", () => {
  it.each([
    ["an empty file", "", "1:1: The file is empty."],
    ["a file of comments", "# nothing\n", "1:1: The file is empty."],
    ["a text", "hello\n", "1:1: The file must be a mapping with at least one of build, test and deploy."],
    ["a list", "- a\n", "1:1: The file must be a mapping with at least one of build, test and deploy."],
    [
      "a tab in the indentation",
      "build:\n\tsteps: 1\n",
      "2:1: The indentation contains a tab, and YAML allows only spaces.",
    ],
    [
      "a second document",
      `${whole}---\n${whole}`,
      "3:1: The file contains a second document, and only one is allowed.",
    ],
    [
      "another YAML",
      `%YAML 1.1\n---\n${whole}`,
      "1:1: The file requires YAML 1.1, and only 1.2 is supported.",
    ],
    ["an open quote", "a: 'x\n", "1:5: The file is not valid YAML: Missing closing 'quote."],
    [
      "two colons",
      "a:\n  b: c: d\n",
      "2:6: A value on this line contains a second `: `, which begins a nested mapping.",
    ],
    ["a bare template", "build: {{ .x }}\n", "1:8: A value that begins with `{{` is read as a mapping."],
  ])("refuses %s", (_what, text, message) => {
    expect(refuseOnce(text)).toBe(message);
  });

  it("takes one document between its markers", () => {
    expect(accept(`---\n${whole}...\n`).config.build?.steps).toHaveLength(1);
    expect(accept(`%YAML 1.2\n---\n${whole}`).config.build?.steps).toHaveLength(1);
  });

  it("tells every tab, and nothing of what follows from them", () => {
    expect(refuse("build:\n  steps:\n\t- name: a\n\t  run: b\n")).toEqual([
      "3:1: The indentation contains a tab, and YAML allows only spaces.",
      "4:1: The indentation contains a tab, and YAML allows only spaces.",
    ]);
  });

  it("tells the form's faults together with the shape's", () => {
    expect(refuse(`${whole}x: &a { b: 1 }\ny: { <<: *a }\n1: 2\nx: 3\n`)).toEqual([
      '2:1: Unknown key "x" at the top of the file.',
      '3:1: Unknown key "y" at the top of the file.',
      "3:6: Merge keys (`<<`) are not part of YAML 1.2 and are not supported.",
      "4:1: This key is not text.",
      '5:1: The key "x" is repeated. It first appears in line 2.',
    ]);
  });

  it("refuses tags, and takes !!str", () => {
    expect(refuse("build: !x { steps: [{ name: a, run: b }] }\n")).toEqual([
      "1:11: YAML tags are not supported.",
    ]);
    expect(refuse("build: { steps: [{ name: a, run: !!binary aGk= }] }\n")[0]).toContain(
      "YAML tags are not supported",
    );
    expect(accept("build: { steps: [{ name: !!str 1, run: b }] }\n").config.build?.steps[0]?.name).toBe("1");
  });

  it("refuses keys that would reach a prototype, and takes harmless names of its members", () => {
    expect(refuse(`__proto__: { polluted: 1 }\n${whole}`)).toEqual([
      "1:1: The key `__proto__` is not allowed.",
    ]);
    expect(refuse(`constructor: 1\n${whole}`)).toEqual([
      '1:1: Unknown key "constructor" at the top of the file.',
    ]);
    const env = accept("build: { steps: [{ name: a, run: b, env: { constructor: x, toString: y } }] }\n");
    expect(env.config.build?.steps[0]?.env).toEqual({ constructor: "x", toString: "y" });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("refuses a NUL that an escape makes", () => {
    expect(refuseOnce('build: { steps: [{ name: a, run: "a\\0b" }] }\n')).toBe(
      "1:34: The value contains a NUL character, which cannot be passed to a process.",
    );
  });

  it("refuses half of a surrogate pair that an escape makes, and takes both", () => {
    const file = (sequence: string) => `build: { steps: [{ name: a, run: "echo ${sequence}" }] }\n`;
    expect(refuseOnce(file("\\ud83d"))).toBe(
      "1:34: The value contains half of a surrogate pair, which cannot be stored.",
    );
    expect(accept(file("\\U0001F600")).config.build?.steps[0]?.run).toBe("echo 😀");
  });
});

describe("aliases", () => {
  it("takes a few", () => {
    const { config } = accept(
      "build: { steps: [{ name: a, run: b, env: &e { A: 1.10 } }, { name: c, run: d, env: *e }] }\n",
    );
    expect(config.build?.steps.map((step) => step.env)).toEqual([{ A: "1.10" }, { A: "1.10" }]);
  });

  it("refuses a bomb without expanding it", () => {
    const levels = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const lines = levels.map((name, index) => {
      const inner = index === 0 ? "x" : `*${levels[index - 1]}`;
      return `${name}: &${name} [${Array(9).fill(inner).join(", ")}]\n`;
    });
    expect(refuseOnce(lines.join(""))).toBe(
      "1:1: The aliases of this file expand to more than 50000 values.",
    );
  });

  it("refuses more than a hundred, one before its anchor, and one inside itself", () => {
    const many = refuse(`${whole}x: &x 1\ny: [${Array(101).fill("*x").join(",")}]\n`);
    expect(many.at(-1)).toBe("3:305: The file has more than 100 aliases.");
    expect(refuse(`${whole}x: *y\n`)).toContain("2:4: This alias has no anchor before it.");
    expect(refuse(`${whole}x: &x [*x]\n`)).toContain("2:8: This alias is inside its own anchor.");
  });
});

describe("hostile sizes", { timeout: 30_000 }, () => {
  it.each([
    ["brackets", "[".repeat(200_000)],
    ["dashes", "- ".repeat(100_000)],
    ["braces", "{a: ".repeat(50_000)],
    ["question marks", "? ".repeat(100_000)],
    ["indentation", Array.from({ length: 500 }, (_, index) => `${" ".repeat(index)}-\n`).join("")],
  ])("refuses nesting by %s", (_what, text) => {
    expect(refuse(text).some((line) => line.endsWith("The nesting is more than 64 levels deep."))).toBe(true);
  });

  it.each([
    ["quotes", '"'.repeat(40_000)],
    ["anchors", "&a ".repeat(10_000)],
    ["tags", "!a ".repeat(10_000)],
  ])("tells the first ten of many syntax errors by %s", (_what, text) => {
    expect(refuse(text)).toHaveLength(10);
  });

  it("tells the first hundred of thousands of duplicates, late in the file", () => {
    const text = `${"\n".repeat(100_000)}a: 1\n${"a: 1\n".repeat(5_000)}`;
    const found = refuse(text);
    expect(found).toHaveLength(100);
    expect(found.at(-1)).toMatch(/^100100:1: The key "a" is repeated\. It first appears in line 100001\.$/);
    const parsed = parsePipelineFile(text, "f");
    expect(parsed.ok || parsed.more).toBe(4_901);
  });

  it("reads text full of openings, plain and escaped", () => {
    const env = (value: string) => `build: { steps: [{ name: a, run: b, env: { A: "${value}" } }] }\n`;
    expect(refuse(env("{{".repeat(50_000)))[0]).toContain("is not closed");
    expect(refuse(env("\\x7b\\x7b".repeat(15_000)))).toHaveLength(1);
  });
});
