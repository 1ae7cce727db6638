import { afterAll, beforeAll, it } from "vitest";
import { campaign } from "./hostile-requests.ts";
import { type Service, startService } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

it("answers 1,500 generated requests within its document and never by a fault of its own", async () => {
  await campaign(service, 1_500);
});
