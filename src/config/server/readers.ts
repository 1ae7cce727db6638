/** Readers that turn the text of a setting into its value. */
import { isAbsolute, resolve } from "node:path";
import { withoutTrailing } from "../../kernel/index.ts";
import { quoted } from "../yaml/faults.ts";
import { nearest } from "../yaml/nearest.ts";
import { Secret } from "./secret.ts";
import { parseDuration, parseSize } from "./units.ts";

export type ReadResult<T> =
  | { readonly ok: true; readonly value: T }
  /** `message` is the predicate of a sentence that begins with the setting, without a full stop. */
  | { readonly ok: false; readonly message: string; readonly suggestion: string | null };

const valid = <T>(value: T): ReadResult<T> => ({ ok: true, value });
const invalid = (message: string, suggestion: string | null = null): ReadResult<never> => ({
  ok: false,
  message,
  suggestion,
});

export const anyText = (text: string): ReadResult<string> =>
  text === "" ? invalid("is empty") : valid(text);
export const secret = (text: string): ReadResult<Secret> => valid(new Secret(text));

/** Reads a list of keys. The message never contains an invalid key, because it is a secret too. */
export function keyring(text: string): ReadResult<readonly Secret[]> {
  const keys = text.split(",").map((key) => key.trim());
  return keys.every((key) => /^[A-Za-z0-9+/]{43}=$/.test(key))
    ? valid(keys.map((key) => new Secret(key)))
    : invalid("must be one or more keys of 32 bytes in base64, as `openssl rand -base64 32` makes them");
}

export function path(text: string, base: string): ReadResult<string> {
  // An empty path would resolve to the directory of the file.
  if (text === "") return invalid("is empty");
  return text.startsWith("~")
    ? invalid('must be a path, and "~" is not expanded')
    : valid(isAbsolute(text) ? text : resolve(base, text));
}

/** The message never contains an invalid host, because people enter whole addresses with a password here. */
export function databaseHost(text: string): ReadResult<string> {
  if (text === "") return invalid("is empty");
  return isAbsolute(text) || /^[A-Za-z0-9_.:-]+$/.test(text)
    ? valid(text)
    : invalid("must be only the name or address of a host, or the absolute directory of a socket");
}

export function account(text: string): ReadResult<string> {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?$|^\d{1,10}$/.test(text)
    ? valid(text)
    : invalid(`must be the name or number of an account, not ${quoted(text)}`);
}

export const integer =
  (min: number, max: number) =>
  (text: string): ReadResult<number> => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return valid(value);
    const link = text.startsWith("tcp://")
      ? ". It comes from a Kubernetes Service of that name. Set enableServiceLinks: false in the pod"
      : "";
    return invalid(`must be a whole number from ${min} to ${max}, not ${quoted(text)}${link}`);
  };

export function size(text: string): ReadResult<number> {
  const bytes = parseSize(text);
  return bytes === null
    ? invalid(`must be a size such as "64MiB" or a number of bytes, not ${quoted(text)}`)
    : valid(bytes);
}

export const duration =
  (min: number, max: number) =>
  (text: string): ReadResult<number> => {
    const seconds = parseDuration(text);
    return seconds === null || seconds < min || seconds > max
      ? invalid(`must be a duration such as "10s" from ${min} to ${max} seconds, not ${quoted(text)}`)
      : valid(seconds);
  };

export function flag(text: string): ReadResult<boolean> {
  if (text === "true") return valid(true);
  return text === "false" ? valid(false) : invalid(`must be true or false, not ${quoted(text)}`);
}

export const choice =
  <const T extends string>(words: readonly T[]) =>
  (text: string): ReadResult<T> => {
    const found = words.find((word) => word === text);
    return found === undefined
      ? invalid(`must be one of ${words.join(", ")}, not ${quoted(text)}`, nearest(text, words))
      : valid(found);
  };

/** Reads an account. Unlike `accountList` it accepts root, so that running steps as root is an explicit choice. */
export function stepAccount(text: string): ReadResult<string> {
  return text === "0" ? valid("root") : account(text);
}

export function accountList(text: string): ReadResult<readonly string[]> {
  const names = text.split(",").map((name) => name.trim());
  const invalidName = names.find((name) => !account(name).ok || name === "root" || name === "0");
  return invalidName === undefined
    ? valid(names)
    : invalid(`must name accounts other than root, not ${quoted(invalidName)}`);
}

/** Reads a key. The message never contains an invalid key, because it is a secret too. */
export function callbackKey(text: string): ReadResult<Secret> {
  return /^[A-Za-z0-9+/]{43}=$/.test(text)
    ? valid(new Secret(text))
    : invalid("must be a key of 32 bytes in base64, as `openssl rand -base64 32` makes it");
}

export function commandLine(text: string, base: string): ReadResult<readonly string[]> {
  const [program = "", ...rest] = text.split(",").map((word) => word.trim());
  if (program === "") return invalid("is empty");
  // A name without a slash is looked up in PATH.
  const found = program.includes("/") && !isAbsolute(program) ? resolve(base, program) : program;
  return valid([found, ...rest]);
}

export function callbackUrl(text: string): ReadResult<string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    [url.username, url.password, url.search, url.hash].every((part) => part === "");
  return plain
    ? valid(withoutTrailing(url.href, "/"))
    : invalid(`must be an address such as "https://ci.example.com", not ${quoted(text)}`);
}

export interface ListenAddress {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

export function listenAddress(text: string): ReadResult<ListenAddress> {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65535
    ? invalid(`must be host:port such as "127.0.0.1:8080" or "[::1]:8080", not ${quoted(text)}`)
    : valid({ host, port });
}

export function hostList(text: string): ReadResult<readonly string[]> {
  const hosts = text.split(",").map((host) => host.trim());
  const invalidName = hosts.find(
    (host) => !/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/.test(host),
  );
  return invalidName === undefined
    ? valid(hosts)
    : invalid(`must name registries as host or host:port, not ${quoted(invalidName)}`);
}
