/** Finds the LFS objects of a repository: in a store on this machine, or on a server, and the way to access it. */
import { writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { SourceSpec } from "../../domain/index.ts";
import { Problem, shellQuote, withoutTrailing } from "../../kernel/index.ts";
import { remoteOf } from "../checkout/submodule-addresses.ts";
import type { SourceDeps } from "../deps.ts";
import { lend, type Remote } from "../git/credential.ts";
import { explainGit } from "../git/problem.ts";
import { checkUrl, isLocalAddress, isSameHost, isSshAddress, quote } from "../git/url.ts";
import { type Mirror, privatePlace, unusable } from "../mirror/mirror.ts";
import { callIn } from "../worktree/repository.ts";

export interface LfsPlaces {
  /** Directories with objects at `aa/bb/<oid>`, the layout of git-lfs. */
  readonly stores: readonly string[];
  /** Null if the repository has no remote. */
  readonly server: LfsAddress | null;
}

export interface LfsAddress {
  /** Address for messages. */
  readonly name: string;
  /** LFS endpoint over https, or the repository over ssh. */
  readonly url: string;
  /** Remote for the login. `credential` is null if this host must not get the repository's. */
  readonly remote: Remote;
  /** False if no login may be requested. */
  readonly asks: boolean;
}

/** Server that is ready for requests. */
export interface LfsServer {
  readonly name: string;
  /** Address without a trailing slash. */
  readonly url: string;
  /** Original host, which the account's `insteadOf` may have replaced in `url`. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Returns the `Authorization` for the server's origin, or null. Called when the server requires one. */
  login(): Promise<string | null>;
  readonly lent: string | null;
}

/** Maximum number of clones of clones, which also ends a ring of clones. */
const maxLocal = 5;

export async function findLfs(
  deps: SourceDeps,
  mirror: Mirror,
  spec: SourceSpec,
  signal?: AbortSignal,
): Promise<LfsPlaces> {
  const stores: string[] = [];
  let url = spec.cloneUrl;
  let configured: string | null = null;
  for (let depth = 0; isLocalAddress(url) && depth < maxLocal; depth += 1) {
    const directory = url.replace(/^file:\/\//, "");
    const local = await localLfs(deps, directory, signal);
    if (local === null) break;
    stores.push(local.store);
    configured ??= local.url;
    url = await remoteOf(deps, directory, null, signal);
    if (url === directory) break;
  }
  const endpoint = configured ?? (await endpointInTree(deps, mirror, spec.tree, signal));
  if (isLocalAddress(url) && endpoint === null) return { stores, server: null };
  const credential = spec.credential ?? null;
  // A file in the repository must not give access to local files, nor send the credential to another host.
  const urls = { ...deps.urls, allowLocal: false };
  const asked = checkUrl(endpoint ?? url, urls);
  const isOwn = isSameHost(asked, spec.cloneUrl) || credential === null;
  const remote = { url: asked, credential: isOwn ? credential : null };
  const address = endpoint === null ? endpointOf(asked) : asked;
  return { stores, server: { name: asked, url: address, remote, asks: isOwn } };
}

/** Endpoint like in git-lfs: `<address>.git/info/lfs`. An ssh host returns its endpoint when it is asked. */
function endpointOf(url: string): string {
  if (isSshAddress(url)) return url;
  const base = withoutTrailing(url, "/");
  return `${base.endsWith(".git") ? base : `${base}.git`}/info/lfs`;
}

async function localLfs(deps: SourceDeps, directory: string, signal?: AbortSignal) {
  const where = await deps.git.run(callIn(deps, directory, ["rev-parse", "--git-common-dir"]), signal);
  if (where.code !== 0) return null;
  const named = where.stdout.toString("utf8").replace(/\n$/, "");
  const common = isAbsolute(named) ? named : join(directory, named);
  const args = ["config", "-z", "--get-regexp", "^lfs\\.(url|storage)$"];
  const values = valuesIn((await deps.git.run(callIn(deps, directory, args), signal)).stdout);
  const storage = values.get("lfs.storage") ?? "lfs";
  const store = join(isAbsolute(storage) ? storage : join(common, storage), "objects");
  return { store, url: values.get("lfs.url") ?? null };
}

/** Reads `lfs.url` of .lfsconfig, like git-lfs. */
async function endpointInTree(deps: SourceDeps, mirror: Mirror, tree: string, signal?: AbortSignal) {
  const call = {
    args: ["config", "-z", "--blob", `${tree}:.lfsconfig`, "--get-regexp", "^lfs\\.url$"],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  return valuesIn((await deps.git.run(call, signal)).stdout).get("lfs.url") ?? null;
}

/** Parses records of key, newline and value. */
function valuesIn(output: Buffer): ReadonlyMap<string, string> {
  const records = output.toString("utf8").split("\0").filter(Boolean);
  return new Map(
    records.map((record) => [record.split("\n", 1)[0] ?? "", record.slice(record.indexOf("\n") + 1)]),
  );
}

export async function openLfs(
  deps: SourceDeps,
  mirror: Mirror,
  address: LfsAddress,
  signal?: AbortSignal,
): Promise<LfsServer> {
  if (isSshAddress(address.url)) return await openBySsh(deps, address, signal);
  const { name, url, remote, asks } = address;
  const { url: real, authorization } = await rewritten(deps, url, signal);
  const login = async () =>
    authorization ?? (asks ? await askLogin(deps, mirror, real, remote, signal) : null);
  const host = URL.parse(url)?.hostname ?? "";
  return { name, url: real, host, headers: {}, login, lent: await lentName(deps, remote) };
}

async function lentName(deps: SourceDeps, remote: Remote): Promise<string | null> {
  await using lent = await lend(deps, remote);
  return lent.name;
}

/** Applies the person's `insteadOf` like git. It may add a token. */
async function rewritten(deps: SourceDeps, url: string, signal?: AbortSignal) {
  const call = {
    args: ["ls-remote", "--get-url", "--end-of-options", url],
    cwd: deps.directory,
    env: { GIT_CEILING_DIRECTORIES: deps.directory },
    limitMs: deps.limits.localMs,
    config: "person",
  } as const;
  const { code, stdout } = await deps.git.run(call, signal);
  const real = URL.parse(code === 0 ? stdout.toString("utf8").trim() : url);
  if (real === null || !/^https?:$/.test(real.protocol)) return { url, authorization: null };
  const { username, password } = real;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  real.username = "";
  real.password = "";
  return { url: withoutTrailing(real.href, "/"), authorization: username === "" ? null : basic(user) };
}

const basic = (user: string) => `Basic ${Buffer.from(user).toString("base64")}`;

/** Asks for a login like git: uses only the clone credential, or else the person's helpers. */
async function askLogin(
  deps: SourceDeps,
  mirror: Mirror,
  url: string,
  remote: Remote,
  signal?: AbortSignal,
): Promise<string | null> {
  const { protocol, host, pathname } = new URL(url);
  await using lent = await lend(deps, remote);
  await using place = await privatePlace(mirror);
  const stdin = join(place.path, "question");
  const question = `protocol=${protocol.slice(0, -1)}\nhost=${host}\npath=${pathname.slice(1)}\n\n`;
  await writeFile(stdin, question).catch((error: unknown) => {
    throw unusable(stdin, error);
  });
  const call = {
    args: [...lent.args, "credential", "fill"],
    cwd: deps.directory,
    env: { GIT_CEILING_DIRECTORIES: deps.directory, ...lent.env },
    stdin,
    limitMs: deps.limits.networkMs,
    config: "person",
  } as const;
  const { code, stdout } = await deps.git.run(call, signal);
  if (code !== 0) return null;
  const answer = new Map(
    stdout
      .toString("utf8")
      .split("\n")
      .map((line) => [line.split("=", 1)[0] ?? "", line.slice(line.indexOf("=") + 1)]),
  );
  return basic(`${answer.get("username") ?? ""}:${answer.get("password") ?? ""}`);
}

/** Asks an ssh host for its endpoint and login: `git-lfs-authenticate <path> download`. */
async function openBySsh(deps: SourceDeps, { name, url, remote }: LfsAddress, signal?: AbortSignal) {
  const { destination, port, path } = sshParts(url);
  await using lent = await lend(deps, remote);
  const words = [
    lent.env.GIT_SSH_COMMAND ?? deps.ssh,
    ...(port === "" ? [] : ["-p", port]),
    shellQuote(destination),
    shellQuote(`git-lfs-authenticate ${/^[\w./~+-]+$/.test(path) ? path : shellQuote(path)} download`),
  ];
  const call = {
    // git starts it, so that git's environment and limits apply.
    args: ["-c", `alias.lfs-authenticate=!${words.join(" ")}`, "lfs-authenticate"],
    cwd: deps.directory,
    env: { GIT_CEILING_DIRECTORIES: deps.directory, ...lent.env },
    limitMs: deps.limits.networkMs,
    outputCap: 65_536,
    config: "person",
  } as const;
  const result = await deps.git.run(call, signal);
  if (result.code === 255) throw explainGit(result, quote(name), lent.name);
  const answer = result.code === 0 ? parseAnswer(result.stdout) : null;
  if (answer === null)
    throw new Problem(
      "source_refused",
      `The ssh host of ${quote(name)} names no Git LFS server (git-lfs-authenticate).`,
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

/** Selects the properties of a foreign object that are texts. */
export function textValues(given: unknown): Record<string, string> {
  if (typeof given !== "object" || given === null) return {};
  return Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === "string"));
}
