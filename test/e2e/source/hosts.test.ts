import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makePlace, type Place } from "./repositories.ts";

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000002";

describe("hosts", () => {
  async function withServer(listener: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    try {
      await use(`http://127.0.0.1:${address.port}/team/app.git`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it.each([
    [401, { "WWW-Authenticate": 'Basic realm="x"' }, "source_unavailable", /wants credentials/],
    [403, {}, "source_unavailable", /wants credentials/],
    // Waiting does not help: the host has no such repository.
    [404, {}, "source_refused", /no git repository at/],
    [500, {}, "source_unavailable", /500/],
  ])("that answer %i", async (status, headers, code, message) => {
    const listener: RequestListener = (_, response) => void response.writeHead(status, headers).end("no");
    await withServer(listener, async (cloneUrl) => {
      await expect(place.source.resolve({ repositoryId, cloneUrl, ref: null })).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    });
  });

  it("that answer with something else than git", async () => {
    const listener: RequestListener = (_, response) =>
      void response.writeHead(200, { "Content-Type": "text/html" }).end("<html>\n<p>\n");
    await withServer(listener, async (cloneUrl) => {
      await expect(place.source.resolve({ repositoryId, cloneUrl, ref: null })).rejects.toMatchObject({
        code: "source_unavailable",
      });
    });
  });

  it("that never answer: the time limit ends git and says so", async () => {
    const impatient = place.open({ limits: { networkMs: 300 } });
    await withServer(
      () => {},
      async (cloneUrl) => {
        await expect(impatient.resolve({ repositoryId, cloneUrl, ref: null })).rejects.toMatchObject({
          code: "source_unavailable",
          message: expect.stringMatching(/git ls-remote was ended/),
        });
      },
    );
  });

  it("that never answer: an abort, and the room's end, end git with its children", async () => {
    const arrived = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    let present = 0;
    const listener: RequestListener = (request) => {
      present += 1;
      if (present === 2) arrived.resolve();
      request.socket.once("close", () => {
        present -= 1;
        if (present === 0) left.resolve();
      });
    };
    await withServer(listener, async (cloneUrl) => {
      const abort = new AbortController();
      const reason = new Error("enough");
      const first = place.source.resolve({ repositoryId, cloneUrl, ref: null }, abort.signal);
      const other = place.open();
      const second = other.resolve({ repositoryId, cloneUrl, ref: null });
      const ends = Promise.allSettled([first, second]);
      await arrived.promise;
      abort.abort(reason);
      await other[Symbol.asyncDispose]();
      await left.promise;
      const [one, two] = await ends;
      expect(one).toMatchObject({ status: "rejected", reason });
      expect(two).toMatchObject({ status: "rejected", reason: { name: "AbortError" } });
    });
  });

  it("that do not listen", async () => {
    let cloneUrl = "";
    await withServer(
      () => {},
      async (address) => {
        cloneUrl = address;
      },
    );
    await expect(place.source.resolve({ repositoryId, cloneUrl, ref: null })).rejects.toMatchObject({
      code: "source_unavailable",
      message: expect.stringMatching(/cannot be reached/),
    });
  });

  it("whose address is a path with nothing there, or with something that is no repository", async () => {
    for (const cloneUrl of [join(place.path, "nowhere"), place.path])
      await expect(place.source.resolve({ repositoryId, cloneUrl, ref: null })).rejects.toMatchObject({
        code: "source_refused",
        message: expect.stringMatching(/no git repository at/),
      });
  });
});
