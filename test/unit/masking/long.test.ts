/** Values of up to 32 KiB: what a mask of them costs before the log's first byte, and what it still covers. */
import { describe, expect, it } from "vitest";
import { createMask, maskPatterns } from "../../../src/masking/index.ts";

/** Text in the alphabet of base64 that is always the same and repeats nowhere. */
function noise(length: number, seed: number): string {
  const bytes = Buffer.alloc(Math.ceil(length / 4) * 3);
  let state = seed + 1;
  for (let at = 0; at < bytes.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes.toString("base64").slice(0, length);
}
const wrapped = (text: string, columns: number) => text.replaceAll(new RegExp(`.{${columns}}`, "g"), "$&\n");
const longest = 32_768;
const oneLine = noise(longest, 1);
const inLines = wrapped(noise(longest, 2), 63).slice(0, longest);

function masked(value: string, text: string): string {
  const mask = createMask(maskPatterns([value]));
  const out: Buffer[] = [];
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 5_000) out.push(mask.push(bytes.subarray(at, at + 5_000)));
  return Buffer.concat([...out, mask.end()]).toString();
}

describe("a long value is masked", () => {
  const hex = Buffer.from(oneLine).toString("hex");
  it.each([
    ["as it is", oneLine, oneLine],
    ["in a URL", oneLine, encodeURIComponent(oneLine)],
    ["in JSON", inLines, JSON.stringify(inLines).slice(1, -1)],
    ["in base64", oneLine, Buffer.from(oneLine).toString("base64")],
    ["in lines of base64", oneLine, wrapped(Buffer.from(oneLine).toString("base64"), 76)],
    ["in base64 for URLs", oneLine, Buffer.from(oneLine).toString("base64url")],
    ["in lines of hex", oneLine, wrapped(hex, 60)],
    ["in upper-case hex", oneLine, hex.toUpperCase()],
    ["in hex, bytes apart", oneLine, hex.replaceAll(/..(?!$)/g, "$& ")],
    ["in hex, words of two bytes", oneLine, hex.replaceAll(/....(?!$)/g, "$& ")],
  ])("%s, all of it", (_, value, text) => {
    expect(masked(value, `before ${text} after`)).toMatch(/^before [*\s\\rn]{3,}.{0,4}\s* after$/);
  });

  it("also a few bytes out of its middle, and line by line", () => {
    const middle = Buffer.from(oneLine).toString("hex").slice(20_001, 20_041);
    expect(masked(oneLine, `[${middle}]`)).toBe("[***]");
    expect(masked(inLines, `[${inLines.split("\n")[200]}]`)).toBe("[***]");
  });

  it("in every encoding up to 8 KiB", () => {
    const value = noise(8_192, 3);
    const decimals = [...Buffer.from(value)].join(" ");
    expect(masked(value, `[${decimals}]`)).toBe("[***]");
  });
});

// Seconds of this process' own, for other processes take their share of the clock. Each took ten times as many and more.
describe("a mask of many long values is made in time", { timeout: 120_000 }, () => {
  const seeds = Array.from({ length: 20 }, (_, seed) => seed);
  it.each([
    ["of one line", seeds.map((seed) => noise(longest, seed * 7))],
    ["of lines", seeds.map((seed) => wrapped(noise(longest, seed * 7), 63).slice(0, longest))],
    [
      "of a document's lines",
      seeds.map((seed) =>
        JSON.stringify(wrapped(noise(20_000, seed * 7), 40).split("\n"), null, 2).slice(0, longest),
      ),
    ],
    ["of fifty keys", Array.from({ length: 50 }, (_, seed) => wrapped(noise(1_700, seed * 7), 64))],
  ])("%s", (_, values) => {
    const before = process.cpuUsage();
    createMask(maskPatterns(values));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(5);
  });
});
