import assert from "node:assert/strict";
import { test } from "node:test";
import { slug } from "./slug.js";

test("joins words by hyphens", () => assert.equal(slug("Hello,  World"), "hello-world"));
test("drops accents", () => assert.equal(slug("Crème brûlée"), "creme-brulee"));
test("has nothing to say of punctuation", () => assert.equal(slug("?!"), ""));
