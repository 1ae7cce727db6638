/** HTTP client of a Git LFS server: the batch API and its basic transfer, with logins and redirects. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorMessage, Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { quote } from "../git/url.ts";
import { unusable } from "../mirror/mirror.ts";
import { type Action, actionsIn, messageIn } from "./batch.ts";
import type { LfsPointer } from "./pointers.ts";
import { malformed, missing, nameOf, rejected } from "./problems.ts";
import { isPublicHost } from "./public-host.ts";
import type { LfsServer } from "./server.ts";

const maxHops = 5;
const maxAnswerBytes = 4 * 1024 * 1024;
const mediaType = "application/vnd.git-lfs+json";
const jsonHeaders = { accept: mediaType, "content-type": mediaType };

interface Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends requests to a server and its redirects, and reads the responses. */
function createTransport(deps: SourceDeps, server: LfsServer, signal: AbortSignal | undefined) {
  const checked = new Map<string, Promise<boolean>>();

  /** Checks a host, because a public server must not make this one access private networks. */
  async function checkHost(url: string): Promise<void> {
    const { hostname } = new URL(url);
    if (hostname === new URL(server.url).hostname) return;
    const allowed =
      checked.get(hostname) ??
      isPublicHost(hostname).then(async (isPublic) => isPublic || !(await isPublicHost(server.host)));
    checked.set(hostname, allowed);
    if (await allowed) return;
    throw new Problem(
      "source_refused",
      `The Git LFS server of ${quote(server.name)} names an address in a private network: ${quote(withoutQuery(url))}.`,
      {
        remedy: "Let the server send the files itself, or set lfs.url in .lfsconfig to one in that network.",
      },
    );
  }

  /** Follows redirects. Sends no credentials to another origin. */
  async function send(request: Request, stop: AbortSignal): Promise<Response> {
    let { url, headers } = request;
    for (let hop = 0; hop <= maxHops; hop += 1) {
      checkTransport(deps, server, url);
      await checkHost(url);
      const init = request.body === undefined ? {} : { method: "POST", body: request.body };
      const response = await fetch(url, { ...init, headers, redirect: "manual", signal: stop });
      const location = response.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
      await response.body?.cancel();
      const next = new URL(location, url);
      if (next.origin !== new URL(url).origin) headers = request.body === undefined ? {} : jsonHeaders;
      url = next.href;
    }
    throw new Problem(
      "source_unavailable",
      `The Git LFS server of ${quote(server.name)} redirects too often.`,
    );
  }

  return async function exchange<T>(
    request: Request,
    stop: AbortSignal | undefined,
    read: (response: Response) => Promise<T>,
  ) {
    const late = AbortSignal.timeout(deps.limits.networkMs);
    const all = [late, signal, stop].filter((one) => one !== undefined);
    try {
      return await read(await send(request, AbortSignal.any(all)));
    } catch (error) {
      signal?.throwIfAborted();
      stop?.throwIfAborted();
      if (error instanceof Problem) throw error;
      const reason = late.aborted ? "it took too long" : reasonOf(error);
      throw new Problem(
        "source_unavailable",
        `The Git LFS server of ${quote(server.name)} cannot be reached: ${reason}.`,
        { remedy: "Check the address and this machine's network, and try again.", cause: error },
      );
    }
  };
}

export function openSession(deps: SourceDeps, server: LfsServer, signal: AbortSignal | undefined) {
  const origin = new URL(server.url).origin;
  let authorization: string | null = null;
  const exchange = createTransport(deps, server, signal);

  async function askBatch(batch: readonly LfsPointer[], login: string | null) {
    const objects = batch.map(({ oid, size }) => ({ oid, size }));
    const body = JSON.stringify({
      operation: "download",
      transfers: ["basic"],
      hash_algo: "sha256",
      objects,
    });
    const headers = {
      ...jsonHeaders,
      ...(login === null ? {} : { authorization: login }),
      ...server.headers,
    };
    return await exchange(
      { url: `${server.url}/objects/batch`, headers, body },
      undefined,
      async (response) => ({
        status: response.status,
        text: await textOf(response, server),
      }),
    );
  }

  return {
    /** Returns the download of each object. */
    async batch(batch: readonly LfsPointer[]): Promise<ReadonlyMap<string, Action>> {
      if (server.lent !== null) authorization ??= await server.login();
      let answer = await askBatch(batch, authorization);
      if (answer.status === 401 && authorization === null) {
        authorization = await server.login();
        if (authorization !== null) answer = await askBatch(batch, authorization);
      }
      if (answer.status !== 200) throw rejected(server, answer.status, messageIn(answer.text));
      return actionsIn(answer.text, batch, server);
    },
    async download(pointer: LfsPointer, { href, headers }: Action, file: string, stop: AbortSignal) {
      const own = URL.parse(href)?.origin === origin && !hasAuthorization(headers) ? authorization : null;
      const given = own === null ? headers : { ...headers, authorization: own };
      await exchange({ url: href, headers: given }, stop, async (response) => {
        if (response.status === 404 || response.status === 410) {
          await response.body?.cancel();
          throw missing(server, pointer, `status ${response.status}`);
        }
        if (response.status !== 200) {
          await response.body?.cancel();
          throw rejected(server, response.status, `the object ${pointer.oid} of ${nameOf(pointer)}`);
        }
        await keep(response, pointer, file, server);
      });
    },
  };
}

function hasAuthorization(headers: Readonly<Record<string, string>>): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
}

const withoutQuery = (url: string) => url.split("?", 1)[0] ?? "";

function checkTransport(deps: SourceDeps, server: LfsServer, url: string): void {
  const protocol = URL.parse(url)?.protocol;
  if (protocol === "https:" || (protocol === "http:" && deps.urls.allowHttp)) return;
  throw new Problem(
    "source_refused",
    `The Git LFS server of ${quote(server.name)} names an address that is not https: ${quote(withoutQuery(url))}.`,
  );
}

/** Writes the bytes to a file, at most as many as the pointer's size, and verifies them. */
async function keep(response: Response, pointer: LfsPointer, file: string, server: LfsServer): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body);
  const wrong = (fact: string) =>
    new Problem(
      "source_refused",
      `The Git LFS server of ${quote(server.name)} sent other bytes for ${nameOf(pointer)} (${pointer.oid}): ${fact}.`,
      { place: nameOf(pointer), remedy: "Push the object again: git lfs push --all origin" },
    );
  const output = createWriteStream(file, { flags: "wx", mode: 0o600 });
  await pipeline(
    body,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > pointer.size) throw wrong(`more than ${pointer.size} bytes`);
        hash.update(chunk);
        yield chunk;
      }
    },
    output,
  ).catch((error: unknown) => {
    throw output.errored === null || error instanceof Problem || !isDiskError(error)
      ? error
      : unusable(file, error);
  });
  if (size !== pointer.size) throw wrong(`${size} bytes instead of ${pointer.size}`);
  const digest = hash.digest("hex");
  if (digest !== pointer.oid) throw wrong(`their SHA-256 is ${digest}`);
}

function isDiskError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && ["open", "write"].includes(String(error.syscall));
}

async function textOf(response: Response, server: LfsServer): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw malformed(server);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return errorMessage(cause);
}
