/** The long form of test/pg/api/hostile-requests.test.ts. */
import { afterAll, beforeAll, it } from "vitest";
import { campaign } from "../../pg/api/hostile-requests.ts";
import { type Service, startService } from "../../pg/api/service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

it("answers 100,000 generated requests within its document and never by a fault of its own", async () => {
  await campaign(service, 100_000);
});
