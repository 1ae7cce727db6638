/** The same as in test/e2e/run/kill.test.ts, at more moments: 50, or as many as KILL_MOMENTS says, from KILL_SEED on. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { World } from "../../support/cli.ts";
import { campaignRepository, createRandom, momentOf, survive } from "../../support/kill-campaign.ts";

const moments = Number(process.env.KILL_MOMENTS ?? 50);
const seed = Number(process.env.KILL_SEED ?? 1);

describe(`kill -9 of run at ${moments} random moments (seed ${seed})`, () => {
  let world: World;
  let repository: string;
  beforeAll(async () => {
    world = await World.prepared();
    repository = campaignRepository(world);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const random = createRandom(seed);
  for (let index = 0; index < moments; index += 1) {
    const moment = momentOf(random, index);
    it(`${index}: ${moment.begun} steps begun, ${moment.afterMs} ms later; found by ${moment.finder}`, async () => {
      await survive(world, repository, moment);
    });
  }
});
