/**
 * Random histories of runs through planner and store, against a small model. A failure prints seed and path; with
 * HISTORIES_SEED and HISTORIES_PATH set to them it is played again, and made smaller. A longer campaign of new
 * histories: HISTORIES=5000.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";
import { createFixture, type Fixture } from "../fixture.ts";
import { earlyHistories, type History, histories } from "./arbitraries.ts";
import { play } from "./player.ts";

const { HISTORIES: count, HISTORIES_SEED: seed, HISTORIES_PATH: path } = process.env;
const hour = 3_600_000;
/** A history that takes longer hangs. */
const historyMs = 20_000;
/** The quick suite plays the same histories each time, as many of them as fit. */
const quick = { seed: 20_301, numRuns: 60, interruptAfterTimeLimit: 15_000 };

function parameters(): fc.Parameters<[History]> {
  if (seed !== undefined) return { seed: Number(seed), ...(path === undefined ? {} : { path }) };
  return { ...(count === undefined ? quick : { numRuns: Number(count) }), endOnFailure: true };
}

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe("a random history", () => {
  it.each([
    ["of any run", histories],
    ["of a run that waits for its repository", earlyHistories],
  ] as const)(
    "%s ends as the model says, each state on its way legal and recorded",
    { timeout: hour },
    async (_which, arbitrary) => {
      await fc.assert(
        fc.asyncProperty(arbitrary, (history) => play(fixture, history)),
        { timeout: historyMs, ...parameters() },
      );
    },
  );
});
