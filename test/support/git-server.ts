/** A git host over real HTTP or HTTPS on loopback: git's own upload-pack behind a login by user and password. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  createServer as createPlain,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createSecure } from "node:https";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";

export interface GitHostOptions {
  /** What `/name` is served from: `<root>/name`. */
  readonly root: string;
  /** `user:password`s that are let in; none: everybody is. May change while it serves. */
  readonly accounts: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly secure?: boolean;
  /** Asked first; true where it answers the request itself. */
  readonly lfs?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface GitHost extends AsyncDisposable {
  readonly url: string;
  /** The `user:password` of each request that had one, and the path. */
  readonly asked: readonly { readonly path: string; readonly login: string | null }[];
}

export const certificate = fileURLToPath(new URL("./tls/first.pem", import.meta.url));

export async function openGitHost(options: GitHostOptions): Promise<GitHost> {
  const asked: { path: string; login: string | null }[] = [];
  const listener: RequestListener = (request, response) => {
    if (options.lfs?.(request, response) === true) return;
    const { pathname, searchParams } = new URL(request.url ?? "", "http://host");
    const basic = /^Basic (.*)$/.exec(request.headers.authorization ?? "")?.[1];
    const login = basic === undefined ? null : Buffer.from(basic, "base64").toString();
    asked.push({ path: pathname, login });
    if (options.accounts.length > 0 && (login === null || !options.accounts.includes(login))) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return;
    }
    const [, name = "", what] = /^\/(.+?)\/(info\/refs|git-upload-pack)$/.exec(pathname) ?? [];
    if (what === undefined || (what === "info/refs" && searchParams.get("service") !== "git-upload-pack")) {
      response.writeHead(404).end();
      return;
    }
    const advertises = what === "info/refs";
    const kind = advertises ? "advertisement" : "result";
    response.writeHead(200, { "content-type": `application/x-git-upload-pack-${kind}` });
    if (advertises) response.write("001e# service=git-upload-pack\n0000");
    const protocol = request.headers["git-protocol"];
    const child = spawn(
      "git",
      [
        "upload-pack",
        "--stateless-rpc",
        ...(advertises ? ["--advertise-refs"] : []),
        join(options.root, name),
      ],
      {
        env: { ...options.environment, ...(typeof protocol === "string" ? { GIT_PROTOCOL: protocol } : {}) },
        stdio: ["pipe", "pipe", "ignore"],
      },
    );
    child.stdout.pipe(response);
    child.stdin.on("error", () => {});
    const body = request.headers["content-encoding"] === "gzip" ? request.pipe(createGunzip()) : request;
    body.pipe(child.stdin);
  };
  const server =
    options.secure === true
      ? createSecure(
          { cert: readFileSync(certificate), key: readFileSync(certificate.replace(".pem", ".key.pem")) },
          listener,
        )
      : createPlain(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the host has no port");
  return {
    url: `${options.secure === true ? "https" : "http"}://127.0.0.1:${address.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
