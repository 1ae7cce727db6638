import { describe, expect, it } from "vitest";
import { isPattern, literalPrefix, patternToRegExp } from "../../../src/executor/local/glob.ts";

const matches = (pattern: string, path: string) => patternToRegExp(pattern).test(path);

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

  it("never take long, whatever is written", () => {
    expect(matches(`${"*".repeat(500)}x`, "a".repeat(500))).toBe(false);
    expect(matches("**/".repeat(3).concat("z"), "a/".repeat(60).concat("b"))).toBe(false);
  });

  it("know what is literal in them", () => {
    expect(["a/b.txt", "a b", "a-b"].map(isPattern)).toEqual([false, false, false]);
    expect(["*", "a?", "[x]", "{a}", "\\"].map(isPattern)).toEqual([true, true, true, true, true]);
    expect(["a/b/*.c", "*.c", "a/b", "a/{b,c}/d"].map(literalPrefix)).toEqual(["a/b", "", "a/b", "a"]);
  });
});
