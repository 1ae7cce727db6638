/** The LFS half of a git host: batch API and basic downloads, with faults that a test switches on. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

const batchPath = /^\/(.+)\.git\/info\/lfs\/objects\/batch$/;

export interface LfsHost {
  /** Content by oid. */
  readonly objects: Map<string, Buffer>;
  /** `user:password`s that may ask; none: everybody. */
  accounts: string[];
  /** What is given in place of an object's bytes. */
  readonly instead: Map<string, Buffer>;
  /** Statuses that every batch request is answered with. */
  batchStatus: number | null;
  /** The host that downloads are sent to; null: this one. */
  downloads: string | null;
  /** Objects in each batch, and the logins that came with batches and downloads. */
  readonly batches: number[];
  readonly logins: (string | null)[];
  readonly downloaded: string[];
  /** Downloads under way now, and the most at one time. */
  readonly load: { now: number; most: number };
  /** Adds content; answers the text of its pointer. */
  add(content: string | Buffer): string;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export const oidOf = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

export function pointerTo(content: string | Buffer): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oidOf(content)}\nsize ${Buffer.byteLength(content)}\n`;
}

export function makeLfsHost(): LfsHost {
  const host: LfsHost = {
    objects: new Map(),
    accounts: [],
    instead: new Map(),
    batchStatus: null,
    downloads: null,
    batches: [],
    logins: [],
    downloaded: [],
    load: { now: 0, most: 0 },
    add(content) {
      host.objects.set(oidOf(content), Buffer.from(content));
      return pointerTo(content);
    },
    answer(request, response) {
      const path = new URL(request.url ?? "", "http://host").pathname;
      const oid = /^\/lfs-object\/([0-9a-f]{64})$/.exec(path)?.[1];
      if (oid !== undefined) giveObject(host, oid, request, response);
      else if (batchPath.test(path) || path === "/elsewhere/objects/batch")
        void batch(host, request, response);
      else return false;
      return true;
    },
  };
  return host;
}

const loginOf = (request: IncomingMessage) => {
  const basic = /^Basic (.*)$/.exec(request.headers.authorization ?? "")?.[1];
  return basic === undefined
    ? (request.headers.authorization ?? null)
    : Buffer.from(basic, "base64").toString();
};

function giveObject(host: LfsHost, oid: string, request: IncomingMessage, response: ServerResponse): void {
  host.logins.push(loginOf(request));
  host.downloaded.push(oid);
  host.load.now += 1;
  host.load.most = Math.max(host.load.most, host.load.now);
  response.once("close", () => {
    host.load.now -= 1;
  });
  const bytes = host.instead.get(oid) ?? host.objects.get(oid);
  if (bytes === undefined) response.writeHead(404).end();
  else setImmediate(() => response.writeHead(200).end(bytes));
}

async function batch(host: LfsHost, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = "";
  for await (const chunk of request) text += chunk;
  const login = loginOf(request);
  host.logins.push(login);
  const json = { "content-type": "application/vnd.git-lfs+json" };
  const refuse = (status: number, message: string) =>
    response.writeHead(status, json).end(JSON.stringify({ message }));
  if (host.batchStatus !== null) return void refuse(host.batchStatus, "not now");
  if (host.accounts.length > 0 && (login === null || !host.accounts.includes(login)))
    return void refuse(401, "who are you");
  const { operation, objects } = JSON.parse(text);
  if (operation !== "download" || objects.length > 100) return void refuse(422, "no such batch");
  host.batches.push(objects.length);
  const here = `http://${request.headers.host}`;
  response.writeHead(200, json).end(
    JSON.stringify({
      transfer: "basic",
      objects: objects.map(({ oid, size }: { oid: string; size: number }) =>
        host.objects.has(oid)
          ? {
              oid,
              size,
              actions: { download: { href: `${host.downloads ?? here}/lfs-object/${oid}`, expires_in: 60 } },
            }
          : { oid, size, error: { code: 404, message: "Object does not exist" } },
      ),
    }),
  );
}
