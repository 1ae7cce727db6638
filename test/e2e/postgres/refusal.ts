import { expect } from "vitest";
import type { Problem } from "../../../src/kernel/index.ts";
import { startHere } from "./processes.ts";

/** What a person would read; nothing may run afterwards. */
export async function refusal(directory: string, changes: { user?: string } = {}): Promise<Problem> {
  const outcome = await startHere(directory, changes).then(
    async (server) => {
      await server.stop();
      return undefined;
    },
    (error: Problem) => error,
  );
  expect(outcome).toMatchObject({ name: "Problem", remedy: expect.stringMatching(/\.$/) });
  if (outcome === undefined) throw new Error("it started");
  expect(outcome.message).toMatch(/\.$/);
  expect(outcome.message).not.toContain("\n");
  return outcome;
}
