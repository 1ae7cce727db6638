/** How the text of a setting is read, form by form. */
import { isAbsolute, resolve } from "node:path";
import { withoutTrailing } from "../../kernel/index.ts";
import { quoted } from "../yaml/faults.ts";
import { nearest } from "../yaml/nearest.ts";
import { Secret } from "./secret.ts";
import { parseDuration, parseSize } from "./units.ts";

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  /** `message` is the predicate of a sentence that begins with the setting. */
  | { readonly ok: false; readonly message: string; readonly suggestion: string | null };

const good = <T>(value: T): Read<T> => ({ ok: true, value });
const bad = (message: string, suggestion: string | null = null): Read<never> => ({
  ok: false,
  message,
  suggestion,
});

export const anyText = (text: string): Read<string> => (text === "" ? bad("is empty") : good(text));
export const secret = (text: string): Read<Secret> => good(new Secret(text));

/** What is wrong is not shown: it is a key all the same. */
export function keyring(text: string): Read<readonly Secret[]> {
  const keys = text.split(",").map((key) => key.trim());
  return keys.every((key) => /^[A-Za-z0-9+/]{43}=$/.test(key))
    ? good(keys.map((key) => new Secret(key)))
    : bad("must be one or more keys of 32 bytes in base64, as `openssl rand -base64 32` makes them");
}
export function path(text: string, base: string): Read<string> {
  // Resolved, it would be the directory of the file that says it.
  if (text === "") return bad("is empty");
  return text.startsWith("~")
    ? bad('must be a path, and "~" is not expanded here')
    : good(isAbsolute(text) ? text : resolve(base, text));
}

/** What is not one is not shown: people put a whole address here, the password in it. */
export function databaseHost(text: string): Read<string> {
  if (text === "") return bad("is empty");
  return isAbsolute(text) || /^[A-Za-z0-9_.:-]+$/.test(text)
    ? good(text)
    : bad("must be the name or address of a host, or the absolute directory of a socket, and nothing else");
}

export function account(text: string): Read<string> {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?$|^\d{1,10}$/.test(text)
    ? good(text)
    : bad(`must be the name or number of an account, not ${quoted(text)}`);
}

export const integer =
  (least: number, most: number) =>
  (text: string): Read<number> => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return good(value);
    const link = text.startsWith("tcp://")
      ? "; this one comes from a Kubernetes Service of that name: set enableServiceLinks: false in the pod"
      : "";
    return bad(`must be a whole number from ${least} to ${most}, not ${quoted(text)}${link}`);
  };

export function size(text: string): Read<number> {
  const bytes = parseSize(text);
  return bytes === null
    ? bad(`must be a size such as "64MiB" or a number of bytes, not ${quoted(text)}`)
    : good(bytes);
}

export const duration =
  (least: number, most: number) =>
  (text: string): Read<number> => {
    const seconds = parseDuration(text);
    return seconds === null || seconds < least || seconds > most
      ? bad(`must be a duration such as "10s" from ${least} to ${most} seconds, not ${quoted(text)}`)
      : good(seconds);
  };

export function flag(text: string): Read<boolean> {
  if (text === "true") return good(true);
  return text === "false" ? good(false) : bad(`must be true or false, not ${quoted(text)}`);
}

export const oneOf =
  <const T extends string>(words: readonly T[]) =>
  (text: string): Read<T> => {
    const found = words.find((word) => word === text);
    return found === undefined
      ? bad(`must be one of ${words.join(", ")}, not ${quoted(text)}`, nearest(text, words))
      : good(found);
  };

/** Root's may be named, so that nobody lets steps run as root without knowing it. */
export function stepAccount(text: string): Read<string> {
  return text === "0" ? good("root") : account(text);
}

export function accountList(text: string): Read<readonly string[]> {
  const names = text.split(",").map((name) => name.trim());
  const wrong = names.find((name) => !account(name).ok || name === "root" || name === "0");
  return wrong === undefined ? good(names) : bad(`must name accounts other than root, not ${quoted(wrong)}`);
}

export function executor(text: string): Read<"local" | "remote"> {
  return text === "kubernetes"
    ? bad("is kubernetes, which is not carried out yet; the executors are local and remote")
    : oneOf(["local", "remote"])(text);
}

/** What is wrong is not shown: it is a key all the same. */
export function callbackKey(text: string): Read<Secret> {
  return /^[A-Za-z0-9+/]{43}=$/.test(text)
    ? good(new Secret(text))
    : bad("must be a key of 32 bytes in base64, as `openssl rand -base64 32` makes it");
}

export function commandLine(text: string, base: string): Read<readonly string[]> {
  const [program = "", ...rest] = text.split(",").map((word) => word.trim());
  if (program === "") return bad("is empty");
  // A bare name is looked for in PATH.
  const found = program.includes("/") && !isAbsolute(program) ? resolve(base, program) : program;
  return good([found, ...rest]);
}

export function callbackUrl(text: string): Read<string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    [url.username, url.password, url.search, url.hash].every((part) => part === "");
  return plain
    ? good(withoutTrailing(url.href, "/"))
    : bad(`must be an address such as "https://ci.example.com", not ${quoted(text)}`);
}

export interface ListenAddress {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

export function listenAddress(text: string): Read<ListenAddress> {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65535
    ? bad(`must be host:port such as "127.0.0.1:8080" or "[::1]:8080", not ${quoted(text)}`)
    : good({ host, port });
}

export function hostList(text: string): Read<readonly string[]> {
  const hosts = text.split(",").map((host) => host.trim());
  const wrong = hosts.find((host) => !/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/.test(host));
  return wrong === undefined
    ? good(hosts)
    : bad(`must name registries as host or host:port, not ${quoted(wrong)}`);
}
