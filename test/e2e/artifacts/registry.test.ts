import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { createRegistry, dockerCredentials, type RegistryOptions } from "../../../src/artifacts/index.ts";
import { brandId, type RunId } from "../../../src/kernel/index.ts";
import { type Answer, closedPort, openRegistry, type RegistryDouble } from "./support/registry-double.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const login = Buffer.from("person:secret").toString("base64");
const never = new AbortController().signal;

async function registry(answer: Answer): Promise<RegistryDouble> {
  const double = await openRegistry(answer);
  onTestFinished(() => double[Symbol.asyncDispose]());
  return double;
}

const run = brandId<RunId>("0198c0de-0000-7000-8000-000000000001");

function client(options: Partial<RegistryOptions> = {}) {
  const asked = { plainHttp: [], timeoutMs: 10_000, credentials: async () => null, ...options };
  const { digest: ask } = createRegistry(asked);
  return { digest: (ref: string, signal: AbortSignal) => ask(ref, run, signal) };
}

const holds: Answer = (_request, response) => {
  response.writeHead(200, { "docker-content-digest": digest }).end();
};
const status =
  (code: number): Answer =>
  (_request, response) => {
    response.writeHead(code).end();
  };

/** As the token flow goes: 401 with a Bearer challenge, a token for it, then the manifest for the token's bearer. */
const withTokens =
  (
    give: (request: Parameters<Answer>[0]) => string,
    realm = (host: string) => `http://${host}/token`,
  ): Answer =>
  (request, response, host) => {
    if (request.url?.startsWith("/token")) response.end(give(request));
    else if (request.headers.authorization === "Bearer t0k-en=") holds(request, response, host);
    else {
      const challenge = `Bearer realm="${realm(host)}",service="the registry",scope="repository:team/app:pull"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
    }
  };

describe("the digest of a reference", () => {
  it("is what the registry answers for the tag, asked as index or manifest of either kind", async () => {
    const double = await registry(holds);
    expect(await client().digest(`${double.host}/team/app:v1`, never)).toBe(digest);
    expect(double.asked).toEqual([
      {
        method: "HEAD",
        path: "/v2/team/app/manifests/v1",
        authorization: undefined,
        accept: expect.stringContaining("application/vnd.oci.image.index.v1+json"),
      },
    ]);
    expect(double.asked[0]?.accept).toContain("application/vnd.docker.distribution.manifest.v2+json");
  });

  it("is asked anew each time: a tag moves", async () => {
    const moved = `sha256:${"cd".repeat(32)}`;
    let held = digest;
    const double = await registry((_request, response) => {
      response.writeHead(200, { "docker-content-digest": held }).end();
    });
    const ref = `${double.host}/app`;
    expect(await client().digest(ref, never)).toBe(digest);
    held = moved;
    expect(await client().digest(ref, never)).toBe(moved);
  });

  it("is found behind a redirect", async () => {
    const elsewhere = await registry(holds);
    const double = await registry((_request, response) => {
      response.writeHead(307, { location: `http://${elsewhere.host}/real` }).end();
    });
    const options = { credentials: async () => login };
    expect(await client(options).digest(`${double.host}/app`, never)).toBe(digest);
    expect(double.asked[0]?.authorization).toBe(`Basic ${login}`);
    expect(elsewhere.asked).toMatchObject([{ path: "/real", authorization: undefined }]);
  });

  it.each([
    [404, "artifact_missing", "does not have", "Push the image"],
    [401, "environment", "answered 401", "shipinator registry set"],
    [403, "environment", "answered 403", "shipinator registry set"],
    [429, "environment", "answered 429", "registry's log"],
    [500, "environment", "answered 500", "registry's log"],
  ])("is not known after %i: %s", async (code, problem, message, remedy) => {
    const double = await registry(status(code));
    await expect(client().digest(`${double.host}/app:1`, never)).rejects.toMatchObject({
      code: problem,
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    });
    await expect(client().digest(`${double.host}/app:1`, never)).rejects.toThrow(`${double.host}/app:1`);
  });

  it.each([[undefined], ["sha256:12"], ["md5:abc"], ["<html>"]])("is not %j", async (header) => {
    const double = await registry((_request, response) => {
      response.writeHead(200, header === undefined ? {} : { "docker-content-digest": header }).end();
    });
    await expect(client().digest(`${double.host}/app`, never)).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining("gave no digest"),
    });
  });
});

describe("a registry that cannot be asked", () => {
  it("is named when nobody listens there", async () => {
    const host = `127.0.0.1:${await closedPort()}`;
    await expect(client().digest(`${host}/app`, never)).rejects.toMatchObject({
      code: "environment",
      message: expect.stringMatching(/127\.0\.0\.1:\d+ could not be asked: .*ECONNREFUSED/),
      place: `http://${host}`,
    });
  });

  it("is named when it never answers", async () => {
    const double = await registry(() => {});
    await expect(client({ timeoutMs: 50 }).digest(`${double.host}/app`, never)).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining("could not be asked"),
    });
  });

  it("is not waited for after the caller's abort", async () => {
    const abort = new AbortController();
    const double = await registry(() => abort.abort());
    await expect(client().digest(`${double.host}/app`, abort.signal)).rejects.toThrow("could not be asked");
  });

  it("is told apart from one that speaks plain HTTP, with the setting that allows it", async () => {
    // Not loopback by its name, so HTTPS is spoken: to a server that only closes the connection.
    const plain = createServer((socket) => socket.destroy());
    await new Promise<void>((ready) => plain.listen(0, "127.0.0.1", ready));
    onTestFinished(() => void plain.close());
    const address = plain.address();
    const host = `127.1:${typeof address === "object" ? address?.port : 0}`;
    await expect(client().digest(`${host}/app`, never)).rejects.toMatchObject({
      place: expect.stringMatching(/^https:/),
      remedy: expect.stringContaining(`SHIPINATOR_REGISTRY_PLAIN_HTTP=${host}`),
    });
  });

  it("is spoken to in plain HTTP where it is declared so", async () => {
    const double = await registry(holds);
    const host = double.host.replace("127.0.0.1", "127.1");
    expect(await client({ plainHttp: [host] }).digest(`${host}/app`, never)).toBe(digest);
  });
});

describe("a login", () => {
  it("is sent as it is kept", async () => {
    const double = await registry((request, response, host) => {
      if (request.headers.authorization === `Basic ${login}`) holds(request, response, host);
      else response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    });
    const ref = `${double.host}/app`;
    await expect(client().digest(ref, never)).rejects.toThrow("answered 401");
    const asked: string[] = [];
    const credentials = async (host: string) => {
      asked.push(host);
      return login;
    };
    expect(await client({ credentials }).digest(ref, never)).toBe(digest);
    expect(asked).toEqual([double.host]);
  });

  it("gets the token that the challenge asks for", async () => {
    const double = await registry(withTokens(() => JSON.stringify({ token: "t0k-en=" })));
    const options = { credentials: async () => login };
    expect(await client(options).digest(`${double.host}/team/app:v1`, never)).toBe(digest);
    expect(double.asked).toMatchObject([
      { method: "HEAD", authorization: `Basic ${login}` },
      {
        method: "GET",
        path: "/token?service=the+registry&scope=repository%3Ateam%2Fapp%3Apull",
        authorization: `Basic ${login}`,
      },
      { method: "HEAD", authorization: "Bearer t0k-en=" },
    ]);
  });

  it("is not needed for a token to a stranger, whichever of the two names it has", async () => {
    const double = await registry(withTokens(() => JSON.stringify({ access_token: "t0k-en=" })));
    expect(await client().digest(`${double.host}/team/app`, never)).toBe(digest);
    expect(double.asked[1]?.authorization).toBeUndefined();
  });

  it.each([
    ["no JSON", "<html>login</html>"],
    ["JSON without a token", "{}"],
    ["null", "null"],
    ["a token that is no text", '{"token": 1}'],
    ["a token that breaks out of its header", JSON.stringify({ token: "a\r\nX-Evil: 1" })],
    ["another token", '{"token": "other"}'],
  ])("is refused when the answer is %s", async (_what, body) => {
    const double = await registry(withTokens(() => body));
    await expect(client().digest(`${double.host}/team/app`, never)).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining("answered 401"),
    });
  });

  it("is read up to 64 KiB; of a longer answer the connection is ended", async () => {
    const answer = (bytes: number) => {
      const rest = JSON.stringify({ token: "t0k-en=", filler: "" }).length;
      return JSON.stringify({ token: "t0k-en=", filler: "x".repeat(bytes - rest) });
    };
    const exact = await registry(withTokens(() => answer(64 * 1024)));
    expect(await client().digest(`${exact.host}/team/app`, never)).toBe(digest);
    const closed = Promise.withResolvers<void>();
    const endless = await registry((request, response, host) => {
      if (!request.url?.startsWith("/token")) return withTokens(() => "")(request, response, host);
      response.on("close", closed.resolve);
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(16_384)));
      };
      response.on("drain", more);
      more();
    });
    await expect(client().digest(`${endless.host}/team/app`, never)).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining("has more than 65536 bytes"),
    });
    await closed.promise;
  });

  it.each([
    ["a name without a scheme", "token"],
    ["nothing", ""],
    ["a file", "file:///etc/passwd"],
  ])("goes nowhere when the challenge points to %s", async (_what, realm) => {
    const double = await registry(
      withTokens(
        () => "",
        () => realm,
      ),
    );
    const options = { credentials: async () => login };
    await expect(client(options).digest(`${double.host}/team/app`, never)).rejects.toThrow("answered 401");
    expect(double.asked).toHaveLength(1);
  });

  it("names the registry when its token service is away", async () => {
    const port = await closedPort();
    const double = await registry(
      withTokens(
        () => "",
        () => `http://127.0.0.1:${port}/token`,
      ),
    );
    await expect(client().digest(`${double.host}/team/app`, never)).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining(`${double.host} could not be asked`),
      place: `http://127.0.0.1:${port}`,
    });
  });
});

describe("Docker's configuration", () => {
  async function kept(content: string): Promise<(host: string) => Promise<string | null>> {
    const directory = await mkdtemp(join(tmpdir(), "docker-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, "config.json"), content);
    return dockerCredentials(directory);
  }

  it("gives a host's login, under any of the names it may have there", async () => {
    const of = await kept(
      JSON.stringify({
        auths: {
          "a.test:5000": { auth: login },
          "https://b.test/v1/": { auth: login },
          "https://index.docker.io/v1/": { auth: login },
          "helper.test": {},
          "empty.test": { auth: "" },
          "odd.test": { auth: "a\nb" },
          "null.test": null,
        },
      }),
    );
    const hosts = ["a.test:5000", "b.test", "registry-1.docker.io"];
    expect(await Promise.all(hosts.map(of))).toEqual([login, login, login]);
    const others = ["a.test", "c.test", "helper.test", "empty.test", "odd.test", "null.test", "__proto__"];
    expect(await Promise.all(others.map(of))).toEqual(others.map(() => null));
  });

  it.each(["{}", "null", "[]", '{"auths": null}', '{"auths": []}'])(
    "may hold no logins: %s",
    async (content) => {
      expect(await (await kept(content))("a.test")).toBeNull();
    },
  );

  it("may be absent", async () => {
    expect(await dockerCredentials("/nonexistent/docker")("a.test")).toBeNull();
    expect(await dockerCredentials("/dev/null")("a.test")).toBeNull();
  });

  it("is named when it is damaged, and its content is not shown", async () => {
    const of = await kept('{"auths": {"a.test": {"auth": "c2VjcmV0"}}, c2VjcmV0');
    await expect(of("a.test")).rejects.toMatchObject({
      code: "environment",
      place: expect.stringMatching(/config\.json$/),
    });
    const error: unknown = await of("a.test").catch((thrown: unknown) => thrown);
    expect(inspect(error)).not.toContain("c2VjcmV0");
  });
});
