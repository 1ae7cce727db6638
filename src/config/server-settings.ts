/** The table of the server's settings: key, how its text is read, default, meaning. The variable's name follows. */
import { isAbsolute, resolve } from "node:path";
import { quoted } from "./faults.ts";
import { nearest } from "./nearest.ts";
import { Secret } from "./secret.ts";
import { parseDuration, parseSize } from "./units.ts";

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  /** `message` is the predicate of a sentence that begins with the setting. */
  | { readonly ok: false; readonly message: string; readonly suggestion: string | null };

export interface Setting<T> {
  /** Dotted, as in the file. */
  readonly key: string;
  /** Lists may be written as such in the file, and with commas in the variable. */
  readonly form: "scalar" | "list";
  /** @param base directory that a relative path is relative to. */
  read(text: string, base: string): Read<T>;
  /** In words for the documentation. */
  readonly fallback: string;
  readonly meaning: string;
}

const good = <T>(value: T): Read<T> => ({ ok: true, value });
const bad = (message: string, suggestion: string | null = null): Read<never> => ({
  ok: false,
  message,
  suggestion,
});

const anyText = (text: string): Read<string> => (text === "" ? bad("is empty") : good(text));
const secret = (text: string): Read<Secret> => good(new Secret(text));

/** What is wrong is not shown: it is a key all the same. */
function keyring(text: string): Read<readonly Secret[]> {
  const keys = text.split(",").map((key) => key.trim());
  return keys.every((key) => /^[A-Za-z0-9+/]{43}=$/.test(key))
    ? good(keys.map((key) => new Secret(key)))
    : bad("must be one or more keys of 32 bytes in base64, as `openssl rand -base64 32` makes them");
}
function path(text: string, base: string): Read<string> {
  // Resolved, it would be the directory of the file that says it.
  if (text === "") return bad("is empty");
  return text.startsWith("~")
    ? bad('must be a path, and "~" is not expanded here')
    : good(isAbsolute(text) ? text : resolve(base, text));
}

/** What is not one is not shown: people put a whole address here, the password in it. */
function databaseHost(text: string): Read<string> {
  if (text === "") return bad("is empty");
  return isAbsolute(text) || /^[A-Za-z0-9_.:-]+$/.test(text)
    ? good(text)
    : bad("must be the name or address of a host, or the absolute directory of a socket, and nothing else");
}

function account(text: string): Read<string> {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?$|^\d{1,10}$/.test(text)
    ? good(text)
    : bad(`must be the name or number of an account, not ${quoted(text)}`);
}

const integer =
  (least: number, most: number) =>
  (text: string): Read<number> => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return good(value);
    const link = text.startsWith("tcp://")
      ? "; this one comes from a Kubernetes Service of that name: set enableServiceLinks: false in the pod"
      : "";
    return bad(`must be a whole number from ${least} to ${most}, not ${quoted(text)}${link}`);
  };

function size(text: string): Read<number> {
  const bytes = parseSize(text);
  return bytes === null
    ? bad(`must be a size such as "64MiB" or a number of bytes, not ${quoted(text)}`)
    : good(bytes);
}

const duration =
  (least: number, most: number) =>
  (text: string): Read<number> => {
    const seconds = parseDuration(text);
    return seconds === null || seconds < least || seconds > most
      ? bad(`must be a duration such as "10s" from ${least} to ${most} seconds, not ${quoted(text)}`)
      : good(seconds);
  };

function flag(text: string): Read<boolean> {
  if (text === "true") return good(true);
  return text === "false" ? good(false) : bad(`must be true or false, not ${quoted(text)}`);
}

const oneOf =
  <const T extends string>(words: readonly T[]) =>
  (text: string): Read<T> => {
    const found = words.find((word) => word === text);
    return found === undefined
      ? bad(`must be one of ${words.join(", ")}, not ${quoted(text)}`, nearest(text, words))
      : good(found);
  };

/** Root's may be named, so that nobody lets steps run as root without knowing it. */
function stepAccount(text: string): Read<string> {
  return text === "0" ? good("root") : account(text);
}

function executor(text: string): Read<"local"> {
  return text === "kubernetes"
    ? bad("is kubernetes, which is not carried out yet; the only executor is local")
    : oneOf(["local"])(text);
}

export interface ListenAddress {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

function listenAddress(text: string): Read<ListenAddress> {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65535
    ? bad(`must be host:port such as "127.0.0.1:8080" or "[::1]:8080", not ${quoted(text)}`)
    : good({ host, port });
}

function hostList(text: string): Read<readonly string[]> {
  const hosts = text.split(",").map((host) => host.trim());
  const wrong = hosts.find((host) => !/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/.test(host));
  return wrong === undefined
    ? good(hosts)
    : bad(`must name registries as host or host:port, not ${quoted(wrong)}`);
}

function define<T>(
  key: string,
  read: Setting<T>["read"],
  fallback: string,
  meaning: string,
  form: Setting<T>["form"] = "scalar",
): Setting<T> {
  return { key, form, read, fallback, meaning };
}

export const settings = {
  dataDir: define(
    "data_dir",
    path,
    "$XDG_DATA_HOME/shipinator, else ~/.local/share/shipinator; for root /var/lib/shipinator",
    "Directory of everything that is kept: database, mirrors, logs, artifacts.",
  ),
  artifactPath: define(
    "artifact_path",
    path,
    "artifacts in the data directory",
    "Directory of the artifact store.",
  ),
  listenAddress: define("listen_address", listenAddress, "127.0.0.1:8080", "Where the server listens."),
  tlsCertificate: define(
    "tls.certificate",
    path,
    "none",
    "File of the server's certificate and its chain, PEM; read again when it changes.",
  ),
  tlsKey: define("tls.key", path, "none", "File of its private key, PEM; read again when it changes."),
  tlsProxy: define(
    "tls.proxy",
    flag,
    "false",
    "Says that a proxy before the server does TLS, so that it may listen beyond loopback without.",
  ),
  executor: define("executor", executor, "local", "What carries out steps."),
  parallelLimit: define(
    "parallel_limit",
    integer(1, 1000),
    "number of cores",
    "How many steps of one run may run at the same time.",
  ),
  logLevel: define(
    "log_level",
    oneOf(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    "none",
    "What the program's own log says, on standard error; without it there is none.",
  ),
  localSlots: define(
    "local.slots",
    integer(1, 1000),
    "number of cores",
    "How many steps run here at the same time.",
  ),
  localUser: define(
    "local.user",
    stepAccount,
    "the program's own",
    "Account that steps run as; another one than the program's own takes root. `serve` as root needs it: an account, or `root` as a word that it is known.",
  ),
  localMinFreeBytes: define(
    "local.min_free_bytes",
    size,
    "256MiB",
    "With less free space no step is started and no artifact is taken.",
  ),
  localLogCap: define(
    "local.log_cap",
    size,
    "64MiB",
    "Bytes of a step's log that are stored; the rest is counted.",
  ),
  localGrace: define("local.grace", duration(0, 3600), "10s", "Time between SIGTERM and SIGKILL."),
  embeddedUser: define(
    "embedded.user",
    account,
    "for root postgres, else nobody",
    "Account of the embedded Postgres when the server runs as root.",
  ),
  secretsKeys: define(
    "secrets.keys",
    keyring,
    "a file in the data directory, made at first use",
    "Keys of stored secrets, 32 bytes in base64 each: the first one seals, all of them open; never shown.",
    "list",
  ),
  dbHost: define(
    "db.host",
    databaseHost,
    "none: the embedded Postgres",
    "Host of an external Postgres, or the directory of its socket.",
  ),
  dbPort: define("db.port", integer(1, 65535), "5432", "Its port."),
  dbUser: define("db.user", anyText, "shipinator", "Its account."),
  dbPassword: define("db.password", secret, "empty", "The account's password; never shown."),
  dbName: define("db.name", anyText, "shipinator", "Its database."),
  dbSslMode: define(
    "db.ssl_mode",
    oneOf(["disable", "require", "verify-full"]),
    "disable",
    "require encrypts; verify-full also checks certificate and host name.",
  ),
  dbSslRootCertificate: define(
    "db.ssl_root_certificate",
    path,
    "the system's",
    "File of PEM certificates to trust for verify-full.",
  ),
  gitAllowFileUrls: define(
    "git.allow_file_urls",
    flag,
    "false",
    "Whether file:// addresses of repositories are taken.",
  ),
  registryPlainHttp: define(
    "registry.plain_http",
    hostList,
    "none",
    "Registries that speak HTTP without TLS, as host or host:port.",
    "list",
  ),
} as const;

/** `db.ssl_mode` → `SHIPINATOR_DB_SSL_MODE`. */
export function variableOf({ key }: Pick<Setting<unknown>, "key">): string {
  return `SHIPINATOR_${key.toUpperCase().replaceAll(".", "_")}`;
}

export interface SettingDescription {
  readonly key: string;
  readonly variable: string;
  readonly default: string;
  readonly meaning: string;
}

/** Every setting, in the order of the documentation. */
export function describeServerConfig(): readonly SettingDescription[] {
  return Object.values(settings).map((setting) => ({
    key: setting.key,
    variable: variableOf(setting),
    default: setting.fallback,
    meaning: setting.meaning,
  }));
}
