import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CompiledMask, compileMask, createMask, maskPatterns } from "../../../src/masking/index.ts";

/** The text through the mask, in pieces of these lengths, over and over. */
function masked(values: readonly string[], text: string | Buffer, lengths: readonly number[] = [7]): string {
  return maskedBy(compileMask(maskPatterns(values)), text, lengths);
}

function maskedBy(compiled: CompiledMask, text: string | Buffer, lengths: readonly number[]): string {
  let mask = compiled.begin();
  const bytes = Buffer.from(text as string);
  const out: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    out.push(mask.push(bytes.subarray(at, at + length)));
    at += length;
    // As another server would go on with it.
    if (turn % 2 === 0) mask = compiled.begin(mask.state());
  }
  return Buffer.concat([...out, mask.end()]).toString();
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const secret = "pass/w0rd+'\"ö x";

describe("a value in a log is masked", () => {
  it.each([
    ["as it is", secret],
    ["in a URL", encodeURIComponent(secret)],
    ["in a form", encodeURIComponent(secret).replaceAll("%20", "+")],
    ["in JSON", JSON.stringify(secret).slice(1, -1)],
    ["in a shell's quotes", secret.replaceAll("'", "'\\''")],
    ["in hex", Buffer.from(secret).toString("hex")],
    ["in upper-case hex", Buffer.from(secret).toString("hex").toUpperCase()],
    ["in base64", base64(secret).replace(/=+$/, "").slice(0, -1)],
  ])("%s", (_, form) => {
    const text = masked([secret], `before ${form} after`);
    expect(text).not.toContain(form);
    expect(text).toMatch(/^before \*\*\*.? after$/);
  });

  it.each(["", "a", "ab", "abc", "user:"])("in base64 behind %j", (before) => {
    const whole = base64(`${before}${secret} and more`);
    const text = masked([secret], whole);
    // What is left says no more than the two neighbours' bits.
    const left = text.split("***");
    expect(left).toHaveLength(2);
    expect(Buffer.from(left.join(""), "base64").toString("latin1")).not.toContain(secret.slice(2, 8));
  });

  it("line by line, where it has several", () => {
    const key = "-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDD\n-----END KEY-----";
    expect(masked([key], `x\n${key}\ny`)).toBe("x\n***\ny");
    expect(masked([key], "    AAAABBBBCCCC\n  DDDD\n")).toBe("    ***\n  DDDD\n");
  });

  it("the longest where several begin, and as one where they stand side by side", () => {
    expect(masked(["abcd", "abcdefgh"], "abcdefgh abcdef abcdabcd")).toBe("*** ***ef ***");
  });

  it("and bytes that are no text pass as they are", () => {
    const bytes = Buffer.from([0, 255, 254, 10, 128, 200, 0]);
    const mask = createMask(maskPatterns(["secret"]));
    expect(Buffer.concat([mask.push(bytes), mask.end()]).equals(bytes)).toBe(true);
  });
});

describe("the pieces that a log comes in", () => {
  it("change nothing of what comes out", () => {
    const values = ["abcdef", "abcabcabc", "defgabc"];
    const compiled = compileMask(maskPatterns(values));
    const words = fc.constantFrom("abcdef", "abcabc", "bcdefg", "abc", "a", "b", "\n", "defg", "abcde", "ÿ");
    fc.assert(
      fc.property(
        fc.array(words, { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        (parts, lengths) => {
          const text = parts.join("");
          const whole = maskedBy(compiled, text, [1_000_000]);
          expect(maskedBy(compiled, text, lengths)).toBe(whole);
          for (const value of values) expect(whole).not.toContain(value);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("are held back no longer than they may become a value", () => {
    const mask = createMask(maskPatterns(["secret-value"]));
    expect(mask.push(Buffer.from("plain sec")).toString()).toBe("plain ");
    expect(mask.push(Buffer.from("ond\n")).toString()).toBe("second\n");
    expect(mask.push(Buffer.from("secret-val")).toString()).toBe("");
    expect(mask.end().toString()).toBe("secret-val");
  });
});
