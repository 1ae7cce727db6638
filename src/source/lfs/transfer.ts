/**
 * Downloads objects by the batch API of Git LFS with its basic transfer. An object is believed when its size and SHA-256
 * are right; until then it lies aside, under a name that nobody looks for.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorMessage, Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
import { quote } from "../git/url.ts";
import { type Mirror, privatePlace, unusable } from "../mirror/mirror.ts";
import type { LfsPointer } from "./pointers.ts";
import { type LfsServer, textValues } from "./server.ts";

/** As git-lfs asks; servers refuse many more. */
const batchSize = 100;
const atOnce = 8;
const maxHops = 5;
const maxAnswerBytes = 4 * 1024 * 1024;
const mediaType = "application/vnd.git-lfs+json";

interface Action {
  readonly href: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where an object lies in a store. */
export const objectIn = (store: string, oid: string) => join(store, oid.slice(0, 2), oid.slice(2, 4), oid);

/**
 * Puts objects, each named once, into the store of the mirror.
 * @throws Problem source_refused (the server does not have one, or gives other bytes), source_unavailable
 */
export async function download(
  room: Room,
  mirror: Mirror,
  server: LfsServer,
  pointers: readonly LfsPointer[],
  store: string,
  signal?: AbortSignal,
): Promise<void> {
  const session = openSession(room, server, signal);
  await using place = await privatePlace(mirror);
  for (let at = 0; at < pointers.length; at += batchSize) {
    const batch = pointers.slice(at, at + batchSize);
    const actions = await session.batch(batch);
    await eachOf(batch, async (pointer, stop) => {
      const action = actions.get(pointer.oid);
      if (action === undefined) throw missing(server, pointer, "no place to download it from was named");
      const aside = join(place.path, pointer.oid);
      await session.download(pointer, action, aside, stop);
      const file = objectIn(store, pointer.oid);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await rename(aside, file);
      } catch (error) {
        throw unusable(file, error);
      }
    });
  }
}

/** Does the work for each, a few at once. The first failure ends the others, which are awaited. */
export async function eachOf<T>(
  items: readonly T[],
  work: (item: T, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) {
      if (failed.signal.aborted) return;
      await work(item, failed.signal);
    }
  };
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    try {
      await worker();
    } catch (error) {
      failed.abort(error);
    }
  });
  await Promise.all(workers);
  failed.signal.throwIfAborted();
}

interface Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

function openSession(room: Room, server: LfsServer, signal: AbortSignal | undefined) {
  const origin = new URL(server.url).origin;
  let authorization: string | null = null;

  /** Follows redirects; what opens one origin is not shown to another. */
  async function send(request: Request, stop: AbortSignal): Promise<Response> {
    let { url, headers } = request;
    for (let hop = 0; hop <= maxHops; hop += 1) {
      checkTransport(room, server, url);
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
      `The Git LFS server of ${quote(server.name)} redirects in a ring`,
    );
  }

  async function exchange<T>(
    request: Request,
    stop: AbortSignal | undefined,
    read: (response: Response) => Promise<T>,
  ) {
    const late = AbortSignal.timeout(room.limits.networkMs);
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
        `The Git LFS server of ${quote(server.name)} cannot be reached: ${reason}`,
        { remedy: "Check the address and this machine's network, and try again.", cause: error },
      );
    }
  }

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
    /** Answers where each object can be downloaded. */
    async batch(batch: readonly LfsPointer[]): Promise<ReadonlyMap<string, Action>> {
      if (server.lent !== null) authorization ??= await server.login();
      let answer = await askBatch(batch, authorization);
      if (answer.status === 401 && authorization === null) {
        authorization = await server.login();
        if (authorization !== null) answer = await askBatch(batch, authorization);
      }
      if (answer.status !== 200) throw refusal(server, answer.status, messageIn(answer.text));
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
          throw refusal(server, response.status, `the object ${pointer.oid} of ${nameOf(pointer)}`);
        }
        await keep(response, pointer, file, server);
      });
    },
  };
}

const jsonHeaders = { accept: mediaType, "content-type": mediaType };

function hasAuthorization(headers: Readonly<Record<string, string>>): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
}

function checkTransport(room: Room, server: LfsServer, url: string): void {
  const protocol = URL.parse(url)?.protocol;
  if (protocol === "https:" || (protocol === "http:" && room.urls.allowHttp)) return;
  throw new Problem(
    "source_refused",
    `The Git LFS server of ${quote(server.name)} names an address that is not https: ${quote(url.split("?", 1)[0] ?? "")}`,
  );
}

/** The bytes into a file, not one more than the pointer says. */
async function keep(response: Response, pointer: LfsPointer, file: string, server: LfsServer): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body);
  const wrong = (fact: string) =>
    new Problem(
      "source_refused",
      `The Git LFS server of ${quote(server.name)} gave other bytes than ${nameOf(pointer)} names by ${pointer.oid}: ${fact}`,
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

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function messageIn(text: string): string {
  const message = parse(text)?.message;
  return typeof message === "string" ? quote(message) : "";
}

function actionsIn(
  text: string,
  batch: readonly LfsPointer[],
  server: LfsServer,
): ReadonlyMap<string, Action> {
  const objects = parse(text)?.objects;
  if (!Array.isArray(objects)) throw malformed(server);
  const byOid = new Map(batch.map((pointer) => [pointer.oid, pointer]));
  const actions = new Map<string, Action>();
  for (const { oid, error, actions: given } of objects.map((one: unknown) => Object(one))) {
    const pointer = byOid.get(oid);
    if (pointer === undefined) continue;
    const { code, message } = Object(error);
    if (error != null && (code === 404 || code === 410))
      throw missing(server, pointer, quote(String(message)));
    if (error != null) throw refusal(server, Number(code), `${nameOf(pointer)}: ${quote(String(message))}`);
    const { href, header } = Object(Object(given).download);
    if (typeof href === "string") actions.set(oid, { href, headers: textValues(header) });
  }
  return actions;
}

const malformed = (server: LfsServer) =>
  new Problem("source_refused", `What answers as the Git LFS server of ${quote(server.name)} is none`, {
    remedy: "Check that the host has Git LFS, or set lfs.url in .lfsconfig.",
  });

const nameOf = ({ path }: Pick<LfsPointer, "path">) => quote(Buffer.from(path, "latin1").toString("utf8"));

function missing(server: LfsServer, pointer: LfsPointer, said: string): Problem {
  return new Problem(
    "source_refused",
    `The Git LFS server of ${quote(server.name)} does not have the object ${pointer.oid} of ${nameOf(pointer)} (${said})`,
    { place: nameOf(pointer), remedy: "Push it: git lfs push --all origin" },
  );
}

function refusal(server: LfsServer, status: number, said: string): Problem {
  const of = quote(server.name);
  const more = said === "" ? "" : ` (${said})`;
  if (status === 401 || status === 403) {
    const lent = server.lent === null ? "" : ` (it was given the secret ${server.lent})`;
    return new Problem(
      "source_unavailable",
      `The Git LFS server of ${of} wants credentials, and there are none that it accepts${lent}${more}`,
      {
        remedy:
          "Give the repository a clone credential, or git a credential helper (`git help credentials`).",
      },
    );
  }
  if (status === 404)
    return new Problem("source_refused", `There is no Git LFS server at ${of}${more}`, {
      remedy:
        "Check that the host has Git LFS; a private repository looks like this, too, without credentials.",
    });
  const passing = status === 429 || status >= 500;
  return new Problem(
    passing ? "source_unavailable" : "source_refused",
    `The Git LFS server of ${of} answers ${status}${more}`,
    passing ? { remedy: "Try again later." } : {},
  );
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return errorMessage(cause);
}
