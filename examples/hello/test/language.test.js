import assert from "node:assert/strict";
import { test } from "node:test";
import { preferred } from "../src/greeting.js";

test("takes the first known language", () => assert.equal(preferred("xx, de-AT;q=0.9, en"), "de"));
test("speaks English by default", () => assert.equal(preferred(undefined), "en"));
