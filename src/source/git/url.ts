/** Checks repository addresses before git gets them. Pure. git's own list of allowed protocols is a second check. */
import { join } from "node:path";
import { Problem, withoutTrailing } from "../../kernel/index.ts";
import type { UrlPolicy } from "../types.ts";

const maxLength = 2048;
const control = /\p{Cc}/u;
const helper = /^([A-Za-z0-9][A-Za-z0-9+.-]*)::/;
const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//;
/** `[user@]host:path` without a slash before the first colon, as git and scp read it. */
const scpLike = /^(?:([^@/:\s]+)@)?(\[[0-9A-Fa-f:.]+\]|[^@/:\s[\]]+):([^\s].*)$/s;

/** Colon-separated list for GIT_ALLOW_PROTOCOL. */
export function allowedProtocols(policy: UrlPolicy): string {
  return ["https", "ssh", ...(policy.allowHttp ? ["http"] : []), ...(policy.allowLocal ? ["file"] : [])].join(
    ":",
  );
}

/**
 * Checks an address and returns its canonical form: scheme and host in lower case, no trailing slash.
 * @throws Problem source_refused
 */
export function checkUrl(url: string, policy: UrlPolicy): string {
  if (url === "") throw refuse("The repository address is empty", "Give an https or ssh address.");
  if (url.length > maxLength)
    throw refuse(
      `The repository address has ${url.length} characters; at most ${maxLength} are accepted`,
      "Give the address that `git clone` takes.",
    );
  if (control.test(url))
    throw refuse(
      `The repository address ${quote(withoutUser(url))} contains a control character`,
      "Remove line ends, tabs and other invisible characters.",
    );
  if (url.startsWith("-"))
    throw refuse(
      `The repository address ${quote(url)} begins with "-", which git could read as an option`,
      "Give an https or ssh address.",
    );
  const remoteHelper = helper.exec(url)?.[1];
  if (remoteHelper !== undefined)
    throw refuse(
      `The repository address ${quote(url)} asks git to run the helper "${remoteHelper}", which could execute any command`,
      "Give an https or ssh address.",
    );
  if (url.startsWith("/")) return checkPath(url, policy);
  const named = scheme.exec(url)?.[1]?.toLowerCase();
  return named === undefined ? checkScpLike(url) : checkScheme(url, named, policy);
}

const localRemedy =
  "Give an https or ssh address. Local addresses need a token for all projects, on a server that listens on loopback (directories) or has SHIPINATOR_GIT_ALLOW_FILE_URLS=true.";

function checkPath(path: string, policy: UrlPolicy): string {
  if (!policy.allowLocal)
    throw refuse(
      `The repository address ${quote(path)} is a path on the server's machine, which is not allowed here`,
      localRemedy,
    );
  return path.length > 1 ? withoutTrailing(path, "/") : path;
}

function checkScheme(url: string, named: string, policy: UrlPolicy): string {
  switch (named) {
    case "file": {
      if (!policy.allowLocal) throw refuse("file:// addresses are not allowed here", localRemedy);
      const path = url.slice("file://".length);
      if (!path.startsWith("/"))
        throw refuse(`${quote(url)} is not file:///absolute/path`, "Give three slashes.");
      return `file://${checkPath(path, policy)}`;
    }
    case "http":
      if (!policy.allowHttp)
        throw refuse(
          "http:// addresses are not allowed here: anybody on the way could change the code that is built",
          "Use https.",
        );
      return checkHosted(url, named);
    case "https":
    case "ssh":
      return checkHosted(url, named);
    default:
      throw refuse(`Addresses with ${named}:// are not allowed`, "Give an https or ssh address.");
  }
}

function checkHosted(url: string, named: "http" | "https" | "ssh"): string {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.hostname === "")
    throw refuse(
      `The repository address ${quote(withoutUser(url))} is not a valid URL`,
      "Check its spelling.",
    );
  if (parsed.password !== "" || (named !== "ssh" && parsed.username !== ""))
    throw refuseCredentials(parsed.host);
  if (named !== "ssh" && /[?#]/.test(url))
    throw refuse(
      `The address of a repository on ${parsed.host} has a query or fragment, which would be stored and shown with any token in it`,
      "Leave it out and let a git credential helper (`git help credentials`) give the token.",
    );
  if (parsed.hostname.startsWith("-") || parsed.username.startsWith("-"))
    throw refuse(
      `The host of ${quote(url)} begins with "-", which ssh could read as an option`,
      "Check its spelling.",
    );
  if (parsed.pathname.replace(/\//g, "") === "")
    throw refuse(
      `The repository address ${quote(url)} names a host but no repository`,
      "Add the repository's path.",
    );
  return withoutTrailing(parsed.href, "/");
}

function checkScpLike(url: string): string {
  const match = scpLike.exec(url);
  if (match === null)
    throw refuse(
      `${quote(url)} is not a repository address`,
      "Give https://host/path, ssh://git@host/path or git@host:path.",
    );
  const [, user = "", host = "", path = ""] = match;
  // ssh accepts no password here. It would become part of the path, which is stored and shown.
  const secretly = user === "" ? /^[^/]*@([^/:]*)/.exec(path) : null;
  if (secretly !== null) throw refuseCredentials(secretly[1] ?? "");
  if (user.startsWith("-") || host.startsWith("-") || path.startsWith("-"))
    throw refuse(
      `A part of ${quote(url)} begins with "-", which ssh could read as an option`,
      "Check its spelling.",
    );
  return withoutTrailing(url, "/");
}

/** True for a path or a file:// address, in canonical form. */
export const isLocalAddress = (url: string): boolean => url.startsWith("/") || url.startsWith("file://");

const isScpLike = (url: string) => !scheme.test(url) && scpLike.test(url);

/** True for an ssh address, in canonical form. */
export const isSshAddress = (url: string): boolean => url.startsWith("ssh://") || isScpLike(url);

/** True if two addresses, in canonical form, have the same host, which may get the same credential. */
export const isSameHost = (one: string, other: string): boolean => hostOf(one) === hostOf(other);

/** Host with scheme and port. A directory is its own host. */
function hostOf(url: string): string {
  if (isScpLike(url)) return `ssh://${scpLike.exec(url)?.[2] ?? ""}`.toLowerCase();
  const { protocol, host } = URL.parse(url) ?? { protocol: "", host: url };
  return `${protocol}//${host}`;
}

/** Resolves a submodule's address like git: `./x` and `../x` are relative to the repository's. Does not check it. */
export function resolveSubmoduleUrl(base: string, url: string): string {
  if (!url.startsWith("./") && !url.startsWith("../")) return url;
  if (base.startsWith("/")) return join(base, url);
  let root = withoutTrailing(base, "/");
  let rest = url;
  while (rest.startsWith("./") || rest.startsWith("../")) {
    if (rest.startsWith("./")) {
      rest = rest.slice(2);
      continue;
    }
    rest = rest.slice(3);
    const cut = Math.max(root.lastIndexOf("/"), root.lastIndexOf(":"));
    if (cut <= 0)
      throw refuse(
        `The submodule address ${quote(url)} leaves its repository's host`,
        "Correct .gitmodules.",
      );
    // `host:repo` → `host:`; the separator stays a colon there.
    root = root[cut] === ":" ? root.slice(0, cut + 1) : root.slice(0, cut);
  }
  return root.endsWith(":") ? `${root}${rest}` : `${root}/${rest}`;
}

function refuseCredentials(host: string): Problem {
  return refuse(
    `The address of a repository on ${host} carries a user name, password or token, which would be stored and shown`,
    "Leave it out and let a git credential helper (`git help credentials`) or an ssh key give it.",
  );
}

function refuse(message: string, remedy: string): Problem {
  return new Problem("source_refused", `${message}.`, { remedy });
}

/** Removes everything up to the last "@", because a password may contain an unescaped slash. */
function withoutUser(url: string): string {
  const start = url.indexOf("//") + 2;
  const end = url.lastIndexOf("@") + 1;
  return start > 1 && end > start ? url.slice(0, start) + url.slice(end) : url;
}

/** Quotes foreign text for a message: limited in length and without control characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text).replace(/\p{Cc}/gu, "?");
}
