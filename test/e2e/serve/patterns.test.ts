import { expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { attackWithPatterns } from "../../support/pattern-attack.ts";
import { serverEnvironment } from "../../support/server.ts";

it("a server is stopped by no pattern of an output, now or after a restart", async () => {
  const world = await World.prepared();
  try {
    await attackWithPatterns(world, serverEnvironment);
  } finally {
    await world[Symbol.asyncDispose]();
  }
  expect.hasAssertions();
});
