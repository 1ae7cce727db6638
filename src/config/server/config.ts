/** The server's configuration. `SHIPINATOR_*` variables override the YAML file, which overrides the defaults. */
import { join } from "node:path";
import { defaultDataDirectory, type LogLevel, Problem } from "../../kernel/index.ts";
import { executorSections, type LocalSection, type RemoteSection } from "./executors.ts";
import type { ListenAddress } from "./readers.ts";
import { Secret } from "./secret.ts";
import { type ExecutorType, type Setting, settings } from "./settings.ts";
import { type FileSettings, fromEnvironment, type SettingValue, type SourceProblem } from "./sources.ts";

export interface DatabaseConfig {
  /** A host, or a directory that contains a socket. */
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
  /** Maximum size of an uploaded artifact. */
  readonly artifactMaxBytes: number;
  readonly listenAddress: ListenAddress;
  readonly tls: {
    /** Absolute paths of PEM files, or null for no TLS. */
    readonly files: { readonly certificate: string; readonly key: string } | null;
    readonly proxy: boolean;
  };
  readonly executor: ExecutorType;
  readonly parallelLimit: number;
  /** Null when not configured, which disables logging. */
  readonly logLevel: LogLevel | null;
  readonly local: LocalSection;
  readonly remote: RemoteSection;
  /** Null to keep everything. */
  readonly retention: { readonly days: number | null };
  /** Null to send nothing. */
  readonly telemetry: { readonly otlpEndpoint: string | null };
  /** Null when it is in a file of the data directory. */
  readonly callbacks: { readonly key: Secret | null };
  readonly embedded: { readonly user: string | null };
  /** Null for the embedded Postgres. */
  readonly db: DatabaseConfig | null;
  readonly git: { readonly allowFileUrls: boolean };
  /** Null when they are in a file of the data directory. */
  readonly secrets: { readonly keys: readonly Secret[] | null };
  /** `plainHttp`: `host[:port]` of registries without TLS. */
  readonly registry: { readonly plainHttp: readonly string[] };
}

/** Facts about the machine that the defaults depend on. */
export interface Machine {
  readonly home: string | null;
  readonly uid: number;
  readonly cores: number;
  /** Absolute. Relative paths in variables are relative to it, those in the file to the file's directory. */
  readonly cwd: string;
}

export interface ServerConfigInput {
  readonly file?: FileSettings | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly machine: Machine;
}

/**
 * @throws Problem server_config_invalid, one for all faults. `details` is a list of `{source, message, suggestion}`, where
 * `source` is `file:line:column` or the variable. It contains no value of a secret.
 */
export function loadServerConfig({ file, environment, machine }: ServerConfigInput): ServerConfig {
  const problems: SourceProblem[] = [...(file?.problems ?? [])];
  const fileValues = file?.values ?? new Map<string, SettingValue>();
  const environmentValues = fromEnvironment(environment, machine.cwd, problems);

  /** The variable's value, else the file's. Both are checked. */
  function read<T>(setting: Setting<T>): T | undefined {
    let found: T | undefined;
    for (const given of [fileValues.get(setting.key), environmentValues.get(setting.key)]) {
      if (given === undefined) continue;
      const result = setting.read(given.text, given.base);
      if (result.ok) found = result.value;
      else
        problems.push({
          source: given.source,
          message: `${setting.key} ${result.message}.`,
          suggestion: result.suggestion,
        });
    }
    return found;
  }

  const dataDir = read(settings.dataDir) ?? defaultDataDir(environment, machine, problems);
  const executor = read(settings.executor) ?? "local";
  const executors = {
    local: executorSections.local.read(read, machine),
    remote: executorSections.remote.read(read, machine),
  };
  const config: ServerConfig = {
    dataDir,
    artifactPath: read(settings.artifactPath) ?? join(dataDir, "artifacts"),
    artifactMaxBytes: read(settings.artifactMaxSize) ?? 16 * 2 ** 30,
    listenAddress: read(settings.listenAddress) ?? { host: "127.0.0.1", port: 8080 },
    tls: {
      files: tlsFiles(read, [environmentValues, fileValues], problems),
      proxy: read(settings.tlsProxy) ?? false,
    },
    executor,
    parallelLimit: read(settings.parallelLimit) ?? executors[executor].slots,
    logLevel: read(settings.logLevel) ?? null,
    ...executors,
    retention: { days: read(settings.retentionDays) ?? null },
    telemetry: {
      otlpEndpoint: read(settings.otlpEndpoint) ?? (environment.OTEL_EXPORTER_OTLP_ENDPOINT || null),
    },
    callbacks: { key: read(settings.callbacksKey) ?? null },
    embedded: { user: read(settings.embeddedUser) ?? null },
    db: database(read, [fileValues, environmentValues], problems),
    git: { allowFileUrls: read(settings.gitAllowFileUrls) ?? false },
    secrets: { keys: read(settings.secretsKeys) ?? null },
    registry: { plainHttp: read(settings.registryPlainHttp) ?? [] },
  };
  checkCombinations(config, [environmentValues, fileValues], problems);
  if (problems.length > 0) throw combineProblems(problems);
  return config;
}

type Sources = readonly ReadonlyMap<string, SettingValue>[];

const firstOf = (sources: Sources, { key }: Pick<Setting<unknown>, "key">): SettingValue | undefined =>
  sources.flatMap((source) => source.get(key) ?? [])[0];

function checkCombinations(config: ServerConfig, sources: Sources, problems: SourceProblem[]) {
  const chosen = firstOf(sources, settings.executor);
  const fault = executorSections[config.executor].faultOf(config);
  if (fault !== null && chosen !== undefined)
    problems.push({ source: chosen.source, message: fault, suggestion: null });
  const pool = firstOf(sources, settings.localUsers);
  if (config.local.user !== null && pool !== undefined)
    problems.push({
      source: pool.source,
      message:
        "local.users and local.user exclude each other. Steps run as one account or as the accounts of a pool.",
      suggestion: null,
    });
}

type Reader = <T>(setting: Setting<T>) => T | undefined;

function database(read: Reader, sources: Sources, problems: SourceProblem[]): DatabaseConfig | null {
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
          message: `${key} needs db.host. The embedded Postgres has its own settings.`,
          suggestion: null,
        });
  return null;
}

function tlsFiles(read: Reader, sources: Sources, problems: SourceProblem[]): ServerConfig["tls"]["files"] {
  const [certificate, key] = [read(settings.tlsCertificate), read(settings.tlsKey)];
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  // A value that is present but invalid is reported by `read`, so only a missing one is reported here.
  for (const [present, missing] of [
    [settings.tlsCertificate, settings.tlsKey],
    [settings.tlsKey, settings.tlsCertificate],
  ] as const) {
    const value = firstOf(sources, present);
    if (value !== undefined && firstOf(sources, missing) === undefined)
      problems.push({
        source: value.source,
        message: `${present.key} also needs ${missing.key}.`,
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
    message: "The data directory must be set, because there is no home directory.",
    suggestion: null,
  });
  return "/";
}

function combineProblems(all: readonly SourceProblem[]): Problem {
  // Only the first problem at a place is reported, because the others follow from it.
  const problems = all.filter(
    ({ source }, index) => all.findIndex((other) => other.source === source) === index,
  );
  const lines = problems.map(({ source, message, suggestion }) => {
    const question = suggestion === null ? "" : ` Did you mean ${suggestion}?`;
    return `${source}: ${message}${question}`;
  });
  const [first = ""] = lines;
  const message =
    lines.length === 1
      ? first
      : `${lines.length} settings are invalid:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  return new Problem("server_config_invalid", message, {
    remedy: "Correct or remove them. Nothing was started.",
    details: problems,
    ...(problems[0] === undefined ? {} : { place: problems[0].source }),
  });
}
