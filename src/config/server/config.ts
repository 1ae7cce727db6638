/** The server's configuration: a YAML file, `SHIPINATOR_*` over it, defaults below. */
import { join } from "node:path";
import { defaultDataDirectory, type LogLevel, Problem } from "../../kernel/index.ts";
import type { ListenAddress } from "./readers.ts";
import { Secret } from "./secret.ts";
import { type Setting, settings } from "./settings.ts";
import { type FileSettings, fromEnvironment, type Given, type SourceProblem } from "./sources.ts";

export interface DatabaseConfig {
  /** A host, or a directory with a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  readonly name: string;
  readonly sslMode: "disable" | "require" | "verify-full";
  /** Absolute path of a PEM file, or null for the system's certificates. */
  readonly sslRootCertificate: string | null;
}

export interface ServerConfig {
  /** Absolute. */
  readonly dataDir: string;
  /** Absolute. */
  readonly artifactPath: string;
  /** Of one that is uploaded. */
  readonly artifactMaxBytes: number;
  readonly listenAddress: ListenAddress;
  readonly tls: {
    /** Absolute paths of PEM files; null: no TLS here. */
    readonly files: { readonly certificate: string; readonly key: string } | null;
    readonly proxy: boolean;
  };
  readonly executor: "local" | "remote";
  readonly parallelLimit: number;
  /** Null: nothing was said, so nothing is logged. */
  readonly logLevel: LogLevel | null;
  readonly local: {
    readonly slots: number;
    /** Null: the program's own account, and nobody has said that it may be root's. */
    readonly user: string | null;
    /** A step's `image`, which is not used here. */
    readonly image: "ignore" | "refuse";
    /** In its place: accounts of which each project has one to itself. Empty: none. */
    readonly users: readonly string[];
    readonly home: "project" | "shared";
    readonly minFreeBytes: number;
    readonly logCapBytes: number;
    readonly graceSeconds: number;
  };
  readonly remote: {
    /** Program and arguments; null only where the executor is another. */
    readonly launch: readonly string[] | null;
    /** Null: where the server listens. */
    readonly url: string | null;
    readonly slots: number;
    readonly pendingSeconds: number;
    readonly silenceSeconds: number;
  };
  /** Null: everything is kept. */
  readonly retention: { readonly days: number | null };
  /** Null: nothing is sent. */
  readonly telemetry: { readonly otlpEndpoint: string | null };
  /** Null: it is in a file of the data directory. */
  readonly callbacks: { readonly key: Secret | null };
  readonly embedded: { readonly user: string | null };
  /** Null: the embedded Postgres. */
  readonly db: DatabaseConfig | null;
  readonly git: { readonly allowFileUrls: boolean };
  /** Null: they are in a file of the data directory. */
  readonly secrets: { readonly keys: readonly Secret[] | null };
  /** `plainHttp`: `host[:port]` of registries without TLS. */
  readonly registry: { readonly plainHttp: readonly string[] };
}

/** What the defaults depend on. */
export interface Machine {
  readonly home: string | null;
  readonly uid: number;
  readonly cores: number;
  /** Absolute; a relative path in a variable is relative to it, one in the file to the file's directory. */
  readonly cwd: string;
}

export interface ServerConfigInput {
  readonly file?: FileSettings | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly machine: Machine;
}

/**
 * @throws Problem server_config_invalid, all that is wrong in one: `details` is a list of `{source, message, suggestion}`,
 * `source` being `file:line:column` or the variable. No value of a secret is in it.
 */
export function loadServerConfig({ file, environment, machine }: ServerConfigInput): ServerConfig {
  const problems: SourceProblem[] = [...(file?.problems ?? [])];
  const ofFile = file?.given ?? new Map<string, Given>();
  const ofVariables = fromEnvironment(environment, machine.cwd, problems);

  /** The variable's value, else the file's; both are checked. */
  function read<T>(setting: Setting<T>): T | undefined {
    let found: T | undefined;
    for (const given of [ofFile.get(setting.key), ofVariables.get(setting.key)]) {
      if (given === undefined) continue;
      const result = setting.read(given.text, given.base);
      if (result.ok) found = result.value;
      else
        problems.push({
          source: given.source,
          message: `${setting.key} ${result.message}`,
          suggestion: result.suggestion,
        });
    }
    return found;
  }

  const dataDir = read(settings.dataDir) ?? defaultDataDir(environment, machine, problems);
  const executor = read(settings.executor) ?? "local";
  const localSlots = read(settings.localSlots) ?? machine.cores;
  const remoteSlots = read(settings.remoteSlots) ?? 16;
  const config: ServerConfig = {
    dataDir,
    artifactPath: read(settings.artifactPath) ?? join(dataDir, "artifacts"),
    artifactMaxBytes: read(settings.artifactMaxSize) ?? 16 * 2 ** 30,
    listenAddress: read(settings.listenAddress) ?? { host: "127.0.0.1", port: 8080 },
    tls: { files: tlsFiles(read, [ofVariables, ofFile], problems), proxy: read(settings.tlsProxy) ?? false },
    executor,
    parallelLimit: read(settings.parallelLimit) ?? (executor === "remote" ? remoteSlots : localSlots),
    logLevel: read(settings.logLevel) ?? null,
    local: {
      slots: localSlots,
      user: read(settings.localUser) ?? null,
      image: read(settings.localImage) ?? "ignore",
      users: read(settings.localUsers) ?? [],
      home: read(settings.localHome) ?? "project",
      minFreeBytes: read(settings.localMinFreeBytes) ?? 256 * 2 ** 20,
      logCapBytes: read(settings.localLogCap) ?? 64 * 2 ** 20,
      graceSeconds: read(settings.localGrace) ?? 10,
    },
    remote: {
      launch: read(settings.remoteLaunch) ?? null,
      url: read(settings.remoteUrl) ?? null,
      slots: remoteSlots,
      pendingSeconds: read(settings.remotePending) ?? 600,
      silenceSeconds: read(settings.remoteSilence) ?? 120,
    },
    retention: { days: read(settings.retentionDays) ?? null },
    telemetry: {
      otlpEndpoint: read(settings.otlpEndpoint) ?? (environment.OTEL_EXPORTER_OTLP_ENDPOINT || null),
    },
    callbacks: { key: read(settings.callbacksKey) ?? null },
    embedded: { user: read(settings.embeddedUser) ?? null },
    db: database(read, [ofFile, ofVariables], problems),
    git: { allowFileUrls: read(settings.gitAllowFileUrls) ?? false },
    secrets: { keys: read(settings.secretsKeys) ?? null },
    registry: { plainHttp: read(settings.registryPlainHttp) ?? [] },
  };
  const said = ofVariables.get(settings.executor.key) ?? ofFile.get(settings.executor.key);
  if (config.executor === "remote" && config.remote.launch === null && said !== undefined)
    problems.push({
      source: said.source,
      message: "executor remote needs remote.launch: a program that starts executors",
      suggestion: null,
    });
  const pool = ofVariables.get(settings.localUsers.key) ?? ofFile.get(settings.localUsers.key);
  if (config.local.user !== null && pool !== undefined)
    problems.push({
      source: pool.source,
      message:
        "local.users and local.user exclude each other: steps run as one account or as those of a pool",
      suggestion: null,
    });
  if (problems.length > 0) throw problemOf(problems);
  return config;
}

type Reader = <T>(setting: Setting<T>) => T | undefined;

function database(
  read: Reader,
  sources: readonly ReadonlyMap<string, Given>[],
  problems: SourceProblem[],
): DatabaseConfig | null {
  const host = read(settings.dbHost);
  const config = {
    host: host ?? "",
    port: read(settings.dbPort) ?? 5432,
    user: read(settings.dbUser) ?? "shipinator",
    password: read(settings.dbPassword) ?? new Secret(""),
    name: read(settings.dbName) ?? "shipinator",
    sslMode: read(settings.dbSslMode) ?? "disable",
    sslRootCertificate: read(settings.dbSslRootCertificate) ?? null,
  } as const;
  if (host !== undefined) return config;
  for (const source of sources)
    for (const [key, given] of source)
      if (key.startsWith("db."))
        problems.push({
          source: given.source,
          message: `${key} has no meaning without db.host: the embedded Postgres has its own`,
          suggestion: null,
        });
  return null;
}

function tlsFiles(
  read: Reader,
  sources: readonly ReadonlyMap<string, Given>[],
  problems: SourceProblem[],
): ServerConfig["tls"]["files"] {
  const [certificate, key] = [read(settings.tlsCertificate), read(settings.tlsKey)];
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  const given = ({ key: name }: Setting<string>) => sources.flatMap((source) => source.get(name) ?? [])[0];
  const [ofCertificate, ofKey] = [given(settings.tlsCertificate), given(settings.tlsKey)];
  // One that is there and wrong has been told already; it is not missing.
  const [alone, absent] =
    ofKey === undefined ? [ofCertificate, settings.tlsKey] : [ofKey, settings.tlsCertificate];
  if (alone !== undefined && given(absent) === undefined) {
    const name = absent === settings.tlsKey ? settings.tlsCertificate.key : settings.tlsKey.key;
    problems.push({
      source: alone.source,
      message: `${name} needs ${absent.key} beside it`,
      suggestion: null,
    });
  }
  return null;
}

function defaultDataDir(
  environment: ServerConfigInput["environment"],
  machine: Machine,
  problems: SourceProblem[],
): string {
  const found = defaultDataDirectory(environment, machine);
  if (found !== null) return found;
  problems.push({
    source: "SHIPINATOR_DATA_DIR",
    message: "is needed, because there is no home directory to keep anything in",
    suggestion: null,
  });
  return "/";
}

function problemOf(all: readonly SourceProblem[]): Problem {
  // Of several at one place the first is told: the others follow from it.
  const problems = all.filter(
    ({ source }, index) => all.findIndex((other) => other.source === source) === index,
  );
  const lines = problems.map(({ source, message, suggestion }) => {
    const meant = suggestion === null ? "" : `; did you mean ${suggestion}?`;
    return `${source}: ${message}${meant}`;
  });
  const [first = ""] = lines;
  const message =
    lines.length === 1
      ? first
      : `${lines.length} settings are wrong:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  return new Problem("server_config_invalid", message, {
    remedy: "Correct or remove them; nothing was started.",
    details: problems,
    ...(problems[0] === undefined ? {} : { place: problems[0].source }),
  });
}
