/** The check of a repository ends in time, whatever its host does. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { systemClock } from "../../../src/kernel/index.ts";
import { checkRepository } from "../../../src/services/catalog/check-repository.ts";
import { eventually } from "../../support/eventually.ts";
import { makePlace } from "../source/repositories.ts";

const row = { clone_secret: null, account_access: true, default_branch: null } as const;

it("ends after 60 seconds where the host takes the connection and never answers", async () => {
  await using place = makePlace();
  const sockets: Socket[] = [];
  const host = createServer((socket) => sockets.push(socket.on("error", () => undefined).resume())).listen(
    0,
    "127.0.0.1",
  );
  await once(host, "listening");
  const connected = once(host, "connection");
  const sleeps: number[] = [];
  // The time passes as soon as git waits for the host.
  const clock = {
    ...systemClock,
    sleep: async (ms: number, signal?: AbortSignal) => {
      sleeps.push(ms);
      await Promise.race([connected, systemClock.sleep(ms, signal)]);
    },
  };
  const clone_url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/team/app.git`;
  const deps = { source: place.source, urlPolicy: { allowLocal: true, allowHttp: true }, clock };
  const repository = { ...row, id: "0198c0de-0000-7000-8000-000000000007", clone_url } as never;
  const checked = checkRepository(deps, repository, new AbortController().signal);
  await expect(checked).rejects.toMatchObject({
    code: "source_unavailable",
    message: "The repository could not be read within 60 seconds.",
  });
  expect(sleeps).toEqual([60_000]);
  // git has ended with it; a socket that is not read would not notice.
  await eventually(() => sockets.every(({ destroyed }) => destroyed));
  host.close();
});
