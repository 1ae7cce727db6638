/** The table of the server's settings: key, how its text is read, default, meaning. The variable's name follows. */
import {
  account,
  accountList,
  anyText,
  callbackKey,
  callbackUrl,
  commandLine,
  databaseHost,
  duration,
  executor,
  flag,
  hostList,
  integer,
  keyring,
  listenAddress,
  oneOf,
  path,
  type Read,
  secret,
  size,
  stepAccount,
} from "./readers.ts";

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
  artifactMaxSize: define(
    "artifact_max_size",
    size,
    "16GiB",
    "Largest output that an executor elsewhere may upload.",
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
    "Says that a proxy before the server does TLS, so that it may listen beyond loopback without. Who asks is then told by the last address in `X-Forwarded-For`, which the proxy must set.",
  ),
  executor: define("executor", executor, "local", "What carries out steps."),
  parallelLimit: define(
    "parallel_limit",
    integer(1, 1000),
    "as many as the executor has slots",
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
    "How many steps run here at the same time, of all runs together.",
  ),
  localUser: define(
    "local.user",
    stepAccount,
    "the program's own",
    "Account that steps run as; another one than the program's own takes root. `serve` as root needs it: an account, or `root` as a word that it is known.",
  ),
  localImage: define(
    "local.image",
    oneOf(["ignore", "refuse"]),
    "ignore",
    "What becomes of a step that names an `image`, which the local executor does not use: it runs without and the run says so, or it is refused.",
  ),
  localUsers: define(
    "local.users",
    accountList,
    "none",
    "Accounts in place of `local.user`: each project has one to itself while its jobs run, and waits while all are occupied. Nothing else may run under them.",
    "list",
  ),
  localHome: define(
    "local.home",
    oneOf(["project", "shared"]),
    "project",
    "HOME of a server's steps: one for each project, or the one of the account that they run as.",
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
  callbacksKey: define(
    "callbacks.key",
    callbackKey,
    "a file in the data directory, made at first use",
    "Key of the tokens that executors elsewhere report with, 32 bytes in base64; the same on all servers of one database; never shown.",
  ),
  remoteLaunch: define(
    "remote.launch",
    commandLine,
    "none",
    "Program and arguments that start an executor elsewhere; called with `launch` or `release` and a line of JSON.",
    "list",
  ),
  remoteUrl: define(
    "remote.url",
    callbackUrl,
    "where the server listens",
    "Address under which executors elsewhere reach this server.",
  ),
  remoteSlots: define(
    "remote.slots",
    integer(1, 10_000),
    "16",
    "How many steps run elsewhere at the same time, of this server's runs.",
  ),
  remotePending: define(
    "remote.pending",
    duration(1, 86_400),
    "10m",
    "Time in which an executor must come for what it was started for.",
  ),
  remoteSilence: define(
    "remote.silence",
    duration(1, 86_400),
    "2m",
    "An executor that reports nothing for so long is lost.",
  ),
  retentionDays: define(
    "retention.days",
    integer(1, 36_500),
    "none: everything is kept",
    "A server forgets runs that ended so many days ago, with their logs and artifacts; what was deployed stays.",
  ),
  otlpEndpoint: define(
    "telemetry.otlp_endpoint",
    callbackUrl,
    "OTEL_EXPORTER_OTLP_ENDPOINT, else none",
    "Address of an OpenTelemetry collector (OTLP over HTTP); a server sends each run that has ended as a trace.",
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
    "Accepts file:// addresses and local paths of repositories, from tokens for all projects alone.",
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
