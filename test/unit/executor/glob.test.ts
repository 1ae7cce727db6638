import { describe, expect, it } from "vitest";
import { compilePattern, isPattern, literalPrefix } from "../../../src/executor/local/outputs/glob.ts";

/** Whether it matches, and the transitions that it took. */
function match(text: string, path: string): { matched: boolean; steps: number } {
  const pattern = compilePattern(text);
  const end = pattern.advance(pattern.start, path);
  return { matched: end !== null && pattern.accepts(end), steps: pattern.steps };
}

const matches = (pattern: string, path: string) => match(pattern, path).matched;

/** What a pattern means, said as simply as possible: by trying everything. */
type Piece = string | "any" | "anyInPart" | "oneInPart" | "parts" | readonly (readonly Piece[])[];

function means(pieces: readonly Piece[], path: string): boolean {
  const [first, ...rest] = pieces;
  if (first === undefined) return path === "";
  if (typeof first !== "string") return first.some((choice) => means([...choice, ...rest], path));
  const slash = path.indexOf("/");
  const lengths = (most: number) => Array.from({ length: most + 1 }, (_, length) => length);
  switch (first) {
    case "any":
      return lengths(path.length).some((length) => means(rest, path.slice(length)));
    case "anyInPart":
      return lengths(slash < 0 ? path.length : slash).some((length) => means(rest, path.slice(length)));
    case "oneInPart":
      return path !== "" && slash !== 0 && means(rest, path.slice(1));
    case "parts":
      return means(rest, path) || (slash > 0 && means(pieces, path.slice(slash + 1)));
    default:
      return path.startsWith(first) && means(rest, path.slice(first.length));
  }
}

function written(pieces: readonly Piece[]): string {
  const words: Readonly<Record<string, string>> = {
    any: "**",
    anyInPart: "*",
    oneInPart: "?",
    parts: "**/",
  };
  return pieces
    .map((piece) =>
      typeof piece === "string" ? (words[piece] ?? piece) : `{${piece.map(written).join(",")}}`,
    )
    .join("");
}

/** Numbers that are the same in every run (Park and Miller). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

function randomPieces(random: (below: number) => number, depth: number): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let left = 1 + random(5); left > 0; left--) {
    const kind = random(depth > 0 ? 8 : 7);
    const last = pieces.at(-1);
    if (kind === 7) pieces.push(Array.from({ length: 1 + random(3) }, () => randomPieces(random, depth - 1)));
    else if (kind === 6 && last === "/") pieces.push("parts");
    else if (kind === 5 && last !== "anyInPart") pieces.push("anyInPart");
    else if (kind === 4) pieces.push("oneInPart");
    else pieces.push(["a", "b", "/", "/"][random(4)] ?? "a");
  }
  return pieces;
}

describe("patterns of outputs", () => {
  it.each([
    ["*.txt", ["a.txt", ".txt", "é.txt", "a\nb.txt"], ["a.txt/b", "d/a.txt", "a.txtx", "atxt"]],
    ["dist/*", ["dist/a", "dist/.hidden"], ["dist", "dist/a/b", "xdist/a"]],
    ["**/*.js", ["a.js", "x/a.js", "x/y/z/a.js"], ["a.jsx", "x/a.ts"]],
    ["src/**", ["src/a", "src/a/b"], ["src", "other/src/a"]],
    ["src/**/test/*.c", ["src/test/a.c", "src/x/y/test/a.c"], ["src/test/x/a.c", "src/xtest/a.c"]],
    ["a**b", ["ab", "axxb"], ["a/b"]],
    ["file?.log", ["file1.log", "fileä.log", "file😀.log"], ["file.log", "file/.log", "file12.log"]],
    ["[abc].o", ["a.o", "c.o"], ["d.o", "ab.o"]],
    ["[!a-c].o", ["d.o", "-.o"], ["a.o", "/.o"]],
    ["[^x]", ["a"], ["x"]],
    ["[]]", ["]"], ["a"]],
    ["[z-a]", ["z", "a", "-"], ["m"]],
    ["[a\\]", ["a", "\\"], ["b"]],
    ["{one,two}.{js,d.ts}", ["one.js", "two.d.ts"], ["three.js", "one.ts"]],
    ["{a,b/{c,d}}/x", ["a/x", "b/c/x", "b/d/x"], ["b/x", "c/x"]],
    ["{open", ["{open"], ["open"]],
    ["[open", ["[open"], ["o"]],
    ["\\*", ["*"], ["a"]],
    ["a.b+c(d)|$^", ["a.b+c(d)|$^"], ["aXb+c(d)|$^"]],
  ])("%s", (pattern, yes, no) => {
    expect([
      yes.filter((path) => !matches(pattern, path)),
      no.filter((path) => matches(pattern, path)),
    ]).toEqual([[], []]);
  });

  it("mean what trying everything says that they mean", () => {
    const random = createRandom(20_261_128);
    const counts = { yes: 0, no: 0 };
    for (let round = 0; round < 3_000; round++) {
      const pieces: readonly Piece[] = [...randomPieces(random, 2), ...(random(4) === 0 ? ["/", "any"] : [])];
      const pattern = written(pieces);
      for (let paths = 0; paths < 8; paths++) {
        const path = Array.from({ length: random(8) }, () => "aab/"[random(4)]).join("");
        const expected = means(pieces, path);
        counts[expected ? "yes" : "no"]++;
        expect({ pattern, path, matched: matches(pattern, path) }).toEqual({
          pattern,
          path,
          matched: expected,
        });
      }
    }
    expect(Math.min(counts.yes, counts.no)).toBeGreaterThan(1_000);
  });

  const hostile: readonly [name: string, pattern: string, unit: string][] = [
    ["many stars", "o/*a*a*a*a*a*b", "a"],
    ["stars in a row", `${"*".repeat(500)}x`, "a"],
    ["any number of parts, often", `${"**/".repeat(100)}z`, "a/"],
    ["stars in choices in choices", "{*a,*a*,{*a*a,a*}}{*a,*a*,{*a*a,a*}}b", "a"],
    ["choices that end anywhere", `${"{a,}".repeat(200)}b`, "a"],
    ["classes and stars", "*[!b]*[a-c]*[!b]*[a-c]*x", "a"],
  ];
  it.each(hostile)("take steps in proportion to the path: %s", (_, pattern, unit) => {
    const path = (length: number) => `${pattern.startsWith("o/") ? "o/" : ""}${unit.repeat(length)}`;
    const [some, double] = [match(pattern, path(1_000)), match(pattern, path(2_000))];
    expect([some.matched, double.matched]).toEqual([false, false]);
    expect(double.steps).toBeLessThanOrEqual(some.steps * 2.1);
    expect(double.steps).toBeLessThanOrEqual(8 * pattern.length * path(2_000).length);
  });

  it("tell as early as they can that nothing below can match", () => {
    const pattern = compilePattern("src/*/x*.c");
    expect(pattern.advance(pattern.start, "lib/")).toBe(null);
    expect(pattern.advance(pattern.start, "src/a/b/")).toBe(null);
    expect(pattern.advance(pattern.start, "src/a/")).not.toBe(null);
  });

  it("know what is literal in them", () => {
    expect(["a/b.txt", "a b", "a-b"].map(isPattern)).toEqual([false, false, false]);
    expect(["*", "a?", "[x]", "{a}", "\\"].map(isPattern)).toEqual([true, true, true, true, true]);
    expect(["a/b/*.c", "*.c", "a/b", "a/{b,c}/d"].map(literalPrefix)).toEqual(["a/b", "", "a/b", "a"]);
  });
});
