/** The table of the server's settings: key, reader, default and meaning. The name of the variable derives from the key. */
import {
  account,
  accountList,
  anyText,
  callbackKey,
  callbackUrl,
  choice,
  commandLine,
  databaseHost,
  duration,
  flag,
  hostList,
  integer,
  keyring,
  listenAddress,
  path,
  type ReadResult,
  secret,
  size,
  stepAccount,
} from "./readers.ts";

export interface Setting<T> {
  /** Dotted path in the file. */
  readonly key: string;
  /** A list is a YAML list in the file, and separated by commas in the variable. */
  readonly form: "scalar" | "list";
  /** @param base directory to which a relative path is relative */
  read(text: string, base: string): ReadResult<T>;
  /** Default in words for the documentation. */
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

/** Each has its section of settings in executors.ts, and its entry in src/app/executors.ts. */
export const executorTypes = ["local", "remote"] as const;
export type ExecutorType = (typeof executorTypes)[number];

export const settings = {
  dataDir: define(
    "data_dir",
    path,
    "$XDG_DATA_HOME/shipinator, else ~/.local/share/shipinator; for root /var/lib/shipinator",
    "Directory for the database, mirrors, logs and artifacts.",
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
    "Maximum size of an output that a remote executor may upload.",
  ),
  listenAddress: define(
    "listen_address",
    listenAddress,
    "127.0.0.1:8080",
    "Address on which the server listens.",
  ),
  tlsCertificate: define(
    "tls.certificate",
    path,
    "none",
    "PEM file with the server's certificate and its chain. A change is loaded without a restart.",
  ),
  tlsKey: define(
    "tls.key",
    path,
    "none",
    "PEM file with the private key of the certificate. A change is loaded without a restart.",
  ),
  tlsProxy: define(
    "tls.proxy",
    flag,
    "false",
    "Set to true when a proxy in front of the server terminates TLS. The server may then listen beyond loopback without TLS. The client is the last address in `X-Forwarded-For`, which the proxy must set.",
  ),
  executor: define("executor", choice(executorTypes), "local", "Executor that runs the steps."),
  parallelLimit: define(
    "parallel_limit",
    integer(1, 1000),
    "the executor's number of slots",
    "Maximum number of steps of one run that run at the same time.",
  ),
  logLevel: define(
    "log_level",
    choice(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    "none",
    "Level of the program's own log on standard error. A server logs `info` by default, other commands nothing.",
  ),
  localSlots: define(
    "local.slots",
    integer(1, 1000),
    "number of cores",
    "Maximum number of steps of all runs that run on this machine at the same time.",
  ),
  localUser: define(
    "local.user",
    stepAccount,
    "the program's own",
    "Account under which steps run. Only root can use another account than its own. `serve` as root requires this setting: an account, or `root` to run steps as root.",
  ),
  localImage: define(
    "local.image",
    choice(["ignore", "refuse"]),
    "ignore",
    "Handling of a step with an `image`, which the local executor does not use: `ignore` runs it without the image and adds a note to the run, `refuse` fails the run.",
  ),
  localUsers: define(
    "local.users",
    accountList,
    "none",
    "Pool of accounts in place of `local.user`. Each project has one to itself while its jobs run, and waits while all are occupied. Nothing else may run under these accounts.",
    "list",
  ),
  localHome: define(
    "local.home",
    choice(["project", "shared"]),
    "project",
    "HOME of a server's steps: one per project, or that of the account under which they run.",
  ),
  localMinFreeBytes: define(
    "local.min_free_bytes",
    size,
    "256MiB",
    "Minimum free disk space. With less, no step starts and no artifact is stored.",
  ),
  localLogCap: define(
    "local.log_cap",
    size,
    "64MiB",
    "Maximum size of a step's stored log. The rest is dropped and counted.",
  ),
  localGrace: define("local.grace", duration(0, 3600), "10s", "Time between SIGTERM and SIGKILL."),
  embeddedUser: define(
    "embedded.user",
    account,
    "`postgres` if it exists, else `nobody`",
    "Account of the embedded Postgres when the server runs as root.",
  ),
  secretsKeys: define(
    "secrets.keys",
    keyring,
    "a file in the data directory, made at first use",
    "Keys for stored secrets, 32 bytes in base64 each. The first one encrypts, all of them decrypt. Never shown.",
    "list",
  ),
  callbacksKey: define(
    "callbacks.key",
    callbackKey,
    "a file in the data directory, made at first use",
    "Key for the tokens of remote executors, 32 bytes in base64. All servers of one database need the same key. Never shown.",
  ),
  remoteLaunch: define(
    "remote.launch",
    commandLine,
    "none",
    "Program and arguments that start a remote executor. It is called with `launch` or `release` and a line of JSON.",
    "list",
  ),
  remoteUrl: define(
    "remote.url",
    callbackUrl,
    "the listen address",
    "Address under which remote executors reach this server.",
  ),
  remoteSlots: define(
    "remote.slots",
    integer(1, 10_000),
    "16",
    "Maximum number of steps of this server's runs that run remotely at the same time.",
  ),
  remotePending: define(
    "remote.pending",
    duration(1, 86_400),
    "10m",
    "Maximum time between the start of a remote executor and its first request.",
  ),
  remoteSilence: define(
    "remote.silence",
    duration(1, 86_400),
    "2m",
    "Time without a report after which a remote executor counts as lost.",
  ),
  retentionDays: define(
    "retention.days",
    integer(1, 36_500),
    "none: everything is kept",
    "Number of days after which a server deletes ended runs with their logs and artifacts. Deployed artifacts stay.",
  ),
  otlpEndpoint: define(
    "telemetry.otlp_endpoint",
    callbackUrl,
    "OTEL_EXPORTER_OTLP_ENDPOINT, else none",
    "Address of an OpenTelemetry collector (OTLP over HTTP). A server sends each ended run as a trace.",
  ),
  dbHost: define(
    "db.host",
    databaseHost,
    "none: the embedded Postgres",
    "Host of an external Postgres, or the directory of its socket.",
  ),
  dbPort: define("db.port", integer(1, 65535), "5432", "Port of the database server."),
  dbUser: define("db.user", anyText, "shipinator", "Account in the database server."),
  dbPassword: define("db.password", secret, "empty", "Password of the account. Never shown."),
  dbName: define("db.name", anyText, "shipinator", "Name of the database."),
  dbSslMode: define(
    "db.ssl_mode",
    choice(["disable", "require", "verify-full"]),
    "disable",
    "`require` encrypts. `verify-full` also checks the certificate and the host name.",
  ),
  dbSslRootCertificate: define(
    "db.ssl_root_certificate",
    path,
    "the system's",
    "PEM file with the certificates to trust for `verify-full`.",
  ),
  gitAllowFileUrls: define(
    "git.allow_file_urls",
    flag,
    "false",
    "Accept file:// addresses and local paths of repositories, only from tokens that are valid for all projects.",
  ),
  registryPlainHttp: define(
    "registry.plain_http",
    hostList,
    "none",
    "Registries that use HTTP without TLS, as host or host:port.",
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
