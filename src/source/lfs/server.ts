/** Where the objects of a repository's LFS files are: in a store on this machine, or at a server, and how it is asked. */
import { writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { SourceSpec } from "../../domain/index.ts";
import { Problem, shellQuote, withoutTrailing } from "../../kernel/index.ts";
import { remoteOf } from "../checkout/submodule-addresses.ts";
import type { Room } from "../deps.ts";
import { lend, type Remote } from "../git/credential.ts";
import { explainGit } from "../git/problem.ts";
import { checkUrl, isLocalAddress, isSameHost, isSshAddress, quote } from "../git/url.ts";
import { type Mirror, privatePlace, unusable } from "../mirror/mirror.ts";
import { callIn } from "../worktree/repository.ts";

export interface LfsPlaces {
  /** Directories with objects at `aa/bb/<oid>`, as git-lfs lays them out. */
  readonly stores: readonly string[];
  /** Null: the repository has no remote. */
  readonly server: LfsAddress | null;
}

export interface LfsAddress {
  /** Where git is sent, for messages. */
  readonly name: string;
  /** The LFS endpoint over https, or the repository over ssh. */
  readonly url: string;
  /** Whom the login is for; `credential` null where the repository's own must not be shown to this host. */
  readonly remote: Remote;
  /** False: no login may be asked for. */
  readonly asks: boolean;
}

/** A server that can be asked now. */
export interface LfsServer {
  readonly name: string;
  /** Without a slash at the end. */
  readonly url: string;
  /** The host that was meant, which the account's `insteadOf` may have replaced in `url`. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Gives the `Authorization` for the server's origin, or null. Asked when the server wants one. */
  login(): Promise<string | null>;
  readonly lent: string | null;
}

/** A person's clone of a clone of a clone; a ring of clones ends, too. */
const maxLocal = 5;

export async function findLfs(
  room: Room,
  mirror: Mirror,
  spec: SourceSpec,
  signal?: AbortSignal,
): Promise<LfsPlaces> {
  const stores: string[] = [];
  let url = spec.cloneUrl;
  let configured: string | null = null;
  for (let depth = 0; isLocalAddress(url) && depth < maxLocal; depth += 1) {
    const directory = url.replace(/^file:\/\//, "");
    const local = await localLfs(room, directory, signal);
    if (local === null) break;
    stores.push(local.store);
    configured ??= local.url;
    url = await remoteOf(room, directory, null, signal);
    if (url === directory) break;
  }
  const endpoint = configured ?? (await endpointInTree(room, mirror, spec.tree, signal));
  if (isLocalAddress(url) && endpoint === null) return { stores, server: null };
  const credential = spec.credential ?? null;
  // A file of the repository must not lead to this machine's files, nor a repository's credential to another host.
  const urls = { ...room.urls, allowLocal: false };
  const asked = checkUrl(endpoint ?? url, urls);
  const isOwn = isSameHost(asked, spec.cloneUrl) || credential === null;
  const remote = { url: asked, credential: isOwn ? credential : null };
  const address = endpoint === null ? endpointOf(asked) : asked;
  return { stores, server: { name: asked, url: address, remote, asks: isOwn } };
}

/** As git-lfs does: `<address>.git/info/lfs`. An ssh address names the endpoint itself when it is asked. */
function endpointOf(url: string): string {
  if (isSshAddress(url)) return url;
  const base = withoutTrailing(url, "/");
  return `${base.endsWith(".git") ? base : `${base}.git`}/info/lfs`;
}

async function localLfs(room: Room, directory: string, signal?: AbortSignal) {
  const where = await room.git.run(callIn(room, directory, ["rev-parse", "--git-common-dir"]), signal);
  if (where.code !== 0) return null;
  const named = where.stdout.toString("utf8").replace(/\n$/, "");
  const common = isAbsolute(named) ? named : join(directory, named);
  const args = ["config", "-z", "--get-regexp", "^lfs\\.(url|storage)$"];
  const values = valuesIn((await room.git.run(callIn(room, directory, args), signal)).stdout);
  const storage = values.get("lfs.storage") ?? "lfs";
  const store = join(isAbsolute(storage) ? storage : join(common, storage), "objects");
  return { store, url: values.get("lfs.url") ?? null };
}

/** `lfs.url` of .lfsconfig, which git-lfs obeys, too. */
async function endpointInTree(room: Room, mirror: Mirror, tree: string, signal?: AbortSignal) {
  const call = {
    args: ["config", "-z", "--blob", `${tree}:.lfsconfig`, "--get-regexp", "^lfs\\.url$"],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  return valuesIn((await room.git.run(call, signal)).stdout).get("lfs.url") ?? null;
}

/** Records are key, line end, value. */
function valuesIn(output: Buffer): ReadonlyMap<string, string> {
  const records = output.toString("utf8").split("\0").filter(Boolean);
  return new Map(
    records.map((record) => [record.split("\n", 1)[0] ?? "", record.slice(record.indexOf("\n") + 1)]),
  );
}

export async function openLfs(
  room: Room,
  mirror: Mirror,
  address: LfsAddress,
  signal?: AbortSignal,
): Promise<LfsServer> {
  if (isSshAddress(address.url)) return await openBySsh(room, address, signal);
  const { name, url, remote, asks } = address;
  const { url: real, authorization } = await rewritten(room, url, signal);
  const login = async () =>
    authorization ?? (asks ? await askLogin(room, mirror, real, remote, signal) : null);
  const host = URL.parse(url)?.hostname ?? "";
  return { name, url: real, host, headers: {}, login, lent: await lentName(room, remote) };
}

async function lentName(room: Room, remote: Remote): Promise<string | null> {
  await using lent = await lend(room, remote);
  return lent.name;
}

/** A person's `insteadOf` holds here as it does for git; it may bring a token. */
async function rewritten(room: Room, url: string, signal?: AbortSignal) {
  const call = {
    args: ["ls-remote", "--get-url", "--end-of-options", url],
    cwd: room.directory,
    env: { GIT_CEILING_DIRECTORIES: room.directory },
    limitMs: room.limits.localMs,
    config: "person",
  } as const;
  const { code, stdout } = await room.git.run(call, signal);
  const real = URL.parse(code === 0 ? stdout.toString("utf8").trim() : url);
  if (real === null || !/^https?:$/.test(real.protocol)) return { url, authorization: null };
  const { username, password } = real;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  real.username = "";
  real.password = "";
  return { url: withoutTrailing(real.href, "/"), authorization: username === "" ? null : basic(user) };
}

const basic = (user: string) => `Basic ${Buffer.from(user).toString("base64")}`;

/** Asks whom git would ask: the lent credential alone, or else the person's helpers. */
async function askLogin(
  room: Room,
  mirror: Mirror,
  url: string,
  remote: Remote,
  signal?: AbortSignal,
): Promise<string | null> {
  const { protocol, host, pathname } = new URL(url);
  await using lent = await lend(room, remote);
  await using place = await privatePlace(mirror);
  const stdin = join(place.path, "question");
  const question = `protocol=${protocol.slice(0, -1)}\nhost=${host}\npath=${pathname.slice(1)}\n\n`;
  await writeFile(stdin, question).catch((error: unknown) => {
    throw unusable(stdin, error);
  });
  const call = {
    args: [...lent.args, "credential", "fill"],
    cwd: room.directory,
    env: { GIT_CEILING_DIRECTORIES: room.directory, ...lent.env },
    stdin,
    limitMs: room.limits.networkMs,
    config: "person",
  } as const;
  const { code, stdout } = await room.git.run(call, signal);
  if (code !== 0) return null;
  const answer = new Map(
    stdout
      .toString("utf8")
      .split("\n")
      .map((line) => [line.split("=", 1)[0] ?? "", line.slice(line.indexOf("=") + 1)]),
  );
  return basic(`${answer.get("username") ?? ""}:${answer.get("password") ?? ""}`);
}

/** An ssh host names its endpoint and gives a login for it: `git-lfs-authenticate <path> download`. */
async function openBySsh(room: Room, { name, url, remote }: LfsAddress, signal?: AbortSignal) {
  const { destination, port, path } = sshParts(url);
  await using lent = await lend(room, remote);
  const words = [
    lent.env.GIT_SSH_COMMAND ?? room.ssh,
    ...(port === "" ? [] : ["-p", port]),
    shellQuote(destination),
    shellQuote(`git-lfs-authenticate ${/^[\w./~+-]+$/.test(path) ? path : shellQuote(path)} download`),
  ];
  const call = {
    // git starts it, so that it has git's environment, limits and end.
    args: ["-c", `alias.lfs-authenticate=!${words.join(" ")}`, "lfs-authenticate"],
    cwd: room.directory,
    env: { GIT_CEILING_DIRECTORIES: room.directory, ...lent.env },
    limitMs: room.limits.networkMs,
    outputCap: 65_536,
    config: "person",
  } as const;
  const result = await room.git.run(call, signal);
  if (result.code === 255) throw explainGit(result, quote(name), lent.name);
  const answer = result.code === 0 ? parseAnswer(result.stdout) : null;
  if (answer === null)
    throw new Problem(
      "source_refused",
      `The ssh host of ${quote(name)} names no Git LFS server (git-lfs-authenticate)`,
      { remedy: "Give the repository's https address, or set lfs.url in .lfsconfig." },
    );
  const host = new URL(answer.url).hostname;
  return { name, ...answer, host, login: async () => null, lent: lent.name };
}

function sshParts(url: string) {
  if (!url.startsWith("ssh://")) {
    const colon = url.indexOf(":", url.indexOf("]") + 1);
    return { destination: url.slice(0, colon).replace(/[[\]]/g, ""), port: "", path: url.slice(colon + 1) };
  }
  const { username, hostname, port, pathname } = new URL(url);
  const host = hostname.replace(/[[\]]/g, "");
  const destination = username === "" ? host : `${decodeURIComponent(username)}@${host}`;
  return { destination, port, path: decodeURIComponent(pathname) };
}

function parseAnswer(output: Buffer): Pick<LfsServer, "url" | "headers"> | null {
  try {
    const { href, header } = JSON.parse(output.toString("utf8"));
    if (typeof href !== "string" || URL.parse(href) === null) return null;
    return { url: withoutTrailing(href, "/"), headers: textValues(header) };
  } catch {
    return null;
  }
}

/** What is text in an object of somebody else's. */
export function textValues(given: unknown): Record<string, string> {
  if (typeof given !== "object" || given === null) return {};
  return Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === "string"));
}
