import { describe, expect, it } from "vitest";
import { isAbbreviatedId, refNotFound, refParts, suggest } from "../../../src/source/git/ref.ts";
import { checkRef, isCommitId } from "../../../src/source/index.ts";

describe("refs that are accepted", () => {
  it.each([
    "main",
    "feature/a-b_c.d",
    "v1.2.3",
    "refs/heads/main",
    "refs/pull/12/head",
    "HEAD",
    "a".repeat(255),
    "0123abc",
    "größe",
    "a@b",
    "0".repeat(40),
    "f".repeat(64),
  ])("%s", (ref) => {
    expect(checkRef(ref)).toBe(ref);
  });
});

describe("refs that are refused", () => {
  it.each([
    ["", /is empty/],
    ["-main", /begins with "-"/],
    ["--upload-pack=sh", /begins with "-"/],
    ["a\nb", /control character/],
    ["a\u0000b", /control character/],
    ["a b", /space/],
    ["a\u00a0b", /space/],
    ["a..b", /"\.\."/],
    ["main@{1}", /"@\{"/],
    ["@", /write HEAD/],
    ["main~1", /one of/],
    ["main^", /one of/],
    ["main:path", /one of/],
    ["v?", /one of/],
    ["v*", /one of/],
    ["[x]", /one of/],
    ["a\\b", /one of/],
    ["/main", /empty part/],
    ["a//b", /empty part/],
    ["main/", /empty part/],
    [".hidden", /begins with "\."/],
    ["a/.b", /begins with "\."/],
    ["main.lock", /\.lock/],
    ["a.lock/b", /\.lock/],
    ["main.", /ends in "\."/],
    ["a".repeat(256), /256 characters/],
  ])("%j", (ref, fact) => {
    expect(() => checkRef(ref)).toThrow(
      expect.objectContaining({ code: "source_refused", message: expect.stringMatching(fact) }),
    );
  });
});

describe("commit ids", () => {
  it("have 40 or 64 hex digits, and 7 at least where they are shortened", () => {
    expect(isCommitId("a".repeat(40))).toBe(true);
    expect(isCommitId("A".repeat(64))).toBe(true);
    expect(isCommitId("a".repeat(41))).toBe(false);
    expect(isCommitId("g".repeat(40))).toBe(false);
    expect(isAbbreviatedId("abcdef0")).toBe(true);
    expect(isAbbreviatedId("abcdef")).toBe(false);
    expect(isAbbreviatedId("a".repeat(40))).toBe(false);
  });
});

describe("what a mistyped ref may have meant", () => {
  const names = ["main", "develop", "v1.2", "v1.20", "feature/login", "release/2026-01"];

  it.each([
    ["mian", ["main"]],
    ["master", []],
    ["refs/heads/man", ["main"]],
    ["login", ["feature/login"]],
    ["V1.2", ["v1.2", "v1.20"]],
    ["nothing-like-it", []],
  ])("%s", (wanted, near) => {
    expect(suggest(wanted, names)).toEqual(near);
  });

  it("is said in the remedy; otherwise the few that there are; for a shortened id, why it is not found", () => {
    expect(refNotFound("mian", '"x"', names).remedy).toBe("Did you mean main?");
    expect(refNotFound("zzzzzzzz", '"x"', ["main", "next"]).remedy).toBe("It has: main, next.");
    expect(refNotFound("abcdef0", '"x"', names).remedy).toMatch(/Give all digits/);
    expect(refNotFound("zzzzzzzz", '"x"', []).remedy).toMatch(/ls-remote/);
  });

  it("is found quickly among a hundred thousand", () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `feature/branch-${index}`);
    expect(suggest("feature/branch-77777x", many)).toContain("feature/branch-77777");
  });
});

describe("a full name", () => {
  it("is split into branch and tag", () => {
    expect(refParts("refs/heads/a/b")).toEqual({ ref: "refs/heads/a/b", branch: "a/b", tag: null });
    expect(refParts("refs/tags/v1")).toEqual({ ref: "refs/tags/v1", branch: null, tag: "v1" });
    expect(refParts("refs/pull/1/head")).toEqual({ ref: "refs/pull/1/head", branch: null, tag: null });
    expect(refParts(null)).toEqual({ ref: null, branch: null, tag: null });
  });
});
