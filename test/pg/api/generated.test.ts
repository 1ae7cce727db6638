/**
 * Requests made from the document, eight at a time: no fault of the server's, no answer outside its document. So many as
 * `SHIPINATOR_TEST_REQUESTS` says, a few by default.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { ask, knownOf, requests } from "./generated.ts";
import { startService } from "./service.ts";

const total = Number(process.env.SHIPINATOR_TEST_REQUESTS ?? 1_500);
const seed =
  process.env.SHIPINATOR_TEST_REQUESTS === undefined ? 20261126 : Math.floor(Math.random() * 2 ** 31);
const atOnce = 8;
/** Generous: a hundred a second. */
const timeout = Math.max(30_000, total * 10);

it(`${total} generated requests, seed ${seed}`, { timeout }, async () => {
  await using service = await startService();
  const known = await knownOf(service);
  const arbitrary = requests(known);
  let left = total;
  for (let batch = 0; left > 0; batch += 1) {
    const stream = fc.sample(arbitrary, { numRuns: Math.min(left, 2_000), seed: seed + batch });
    left -= stream.length;
    let next = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let asked = stream[next++]; asked !== undefined; asked = stream[next++])
          await ask(service, asked);
      }),
    );
  }
  expect((await service.ask("GET", "/readyz")).status).toBe(200);
});
