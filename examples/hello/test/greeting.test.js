import assert from "node:assert/strict";
import { test } from "node:test";
import { greet } from "../src/greeting.js";

test("greets by name", () => assert.equal(greet("Ada"), "Hello, Ada!"));
test("greets the world when nobody is named", () => assert.equal(greet("  "), "Hello, world!"));
test("greets in other languages", () => assert.equal(greet("Ada", "fr"), "Bonjour, Ada!"));
test("falls back to English", () => assert.equal(greet("Ada", "toString"), "Hello, Ada!"));
