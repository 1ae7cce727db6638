import { expect, it } from "vitest";
import { shellQuote } from "../../../src/kernel/index.ts";

it("steps outside of the quotes for a single quote only", () => {
  expect(shellQuote("it's $x `y` \\")).toBe("'it'\\''s $x `y` \\'");
});
