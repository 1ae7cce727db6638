import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ExecutionId, newId } from "../../../src/kernel/index.ts";
import { decide } from "../../../src/logs/append.ts";
import { logDirectory, segmentName } from "../../../src/logs/segments.ts";
import { lastLines } from "../../../src/logs/tail.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

describe("lastLines", () => {
  it.each([
    ["", 3, ""],
    ["a", 1, "a"],
    ["a\n", 1, "a\n"],
    ["a\nb", 1, "b"],
    ["a\nb\n", 1, "b\n"],
    ["a\nb\n", 2, "a\nb\n"],
    ["a\nb\nc\n", 2, "b\nc\n"],
    ["a\n\n\n", 2, "\n\n"],
    ["\n", 1, "\n"],
    ["\n\n", 1, "\n"],
    ["\na", 5, "\na"],
    ["a\r\nb\r\n", 1, "b\r\n"],
    ["a\nb", 0, ""],
    ["a\nb", -1, ""],
    ["\u00ff\n\u0000\n", 1, "\u0000\n"],
  ])("of %j, %i of them, are %j", (text, lines, expected) => {
    expect(
      bytes(text).length === 0 ? "" : Buffer.from(lastLines(bytes(text), lines)).toString("latin1"),
    ).toBe(expected);
  });

  it("are the end of what was given, split at newlines", () => {
    const text = fc.array(fc.constantFrom("a", "\n", "\r"), { maxLength: 30 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 6 }), (given, lines) => {
        const expected = (given.match(/[^\n]*\n|[^\n]+$/g) ?? []).slice(-lines).join("");
        expect(Buffer.from(lastLines(bytes(given), lines)).toString("latin1")).toBe(expected);
      }),
    );
  });
});

describe("where a log lies", () => {
  it("is spread by the random part of the id", () => {
    const id = newId<ExecutionId>();
    expect(logDirectory("/logs", id)).toBe(`/logs/${id.slice(15, 17)}/${id}`);
    const shards = new Set(
      Array.from({ length: 200 }, () => logDirectory("/l", newId<ExecutionId>()).slice(3, 5)),
    );
    expect(shards.size).toBeGreaterThan(50);
  });

  it("has segments named by 20 digits", () => {
    expect(segmentName(0)).toBe("00000000000000000000");
    expect(segmentName(Number.MAX_SAFE_INTEGER)).toBe("00009007199254740991");
  });
});

describe("what to do with appended bytes", () => {
  const open = { size: 100, sealed: false };
  const sealed = { size: 100, sealed: true };
  it.each([
    [open, 100, 10, { kind: "add", known: 0, fresh: 10 }],
    [open, 95, 10, { kind: "add", known: 5, fresh: 5 }],
    [open, 0, 100, { kind: "known", known: 100 }],
    [open, 0, 0, { kind: "known", known: 0 }],
    [open, 101, 1, { kind: "gap" }],
    [open, 100, 200, { kind: "add", known: 0, fresh: 100 }],
    [{ size: 200, sealed: false }, 200, 1, { kind: "full", known: 0 }],
    [{ size: 200, sealed: false }, 190, 20, { kind: "full", known: 10 }],
    [{ size: 200, sealed: false }, 300, 20, { kind: "full", known: 0 }],
    [sealed, 50, 50, { kind: "known", known: 50 }],
    [sealed, 50, 51, { kind: "sealed", known: 50 }],
    [sealed, 101, 1, { kind: "gap" }],
  ])("%j: %i bytes at … of %i", (extent, offset, length, step) => {
    expect(decide(extent, 200, offset, length)).toEqual(step);
  });
});
