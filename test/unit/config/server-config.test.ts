import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import {
  describeServerConfig,
  loadServerConfig,
  type Machine,
  Secret,
  type ServerConfig,
} from "../../../src/config/index.ts";
import { Problem } from "../../../src/kernel/index.ts";

const machine: Machine = { home: "/home/ada", uid: 1000, cores: 4, cwd: "/work" };
type Environment = Record<string, string | undefined>;

function load(environment: Environment, text?: string, on: Partial<Machine> = {}): ServerConfig {
  const file = text === undefined ? null : { path: "/etc/shipinator.yaml", text };
  return loadServerConfig({ file, environment, machine: { ...machine, ...on } });
}

function problem(environment: Environment, text?: string, on: Partial<Machine> = {}): Problem {
  try {
    load(environment, text, on);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("expected a problem");
}

describe("defaults", () => {
  it("are those of the machine", () => {
    expect(load({})).toEqual({
      dataDir: "/home/ada/.local/share/shipinator",
      artifactPath: "/home/ada/.local/share/shipinator/artifacts",
      artifactMaxBytes: 17_179_869_184,
      listenAddress: { host: "127.0.0.1", port: 8080 },
      tls: { files: null, proxy: false },
      executor: "local",
      parallelLimit: 4,
      logLevel: null,
      local: { slots: 4, user: null, minFreeBytes: 268_435_456, logCapBytes: 67_108_864, graceSeconds: 10 },
      remote: { launch: null, url: null, slots: 16, pendingSeconds: 600, silenceSeconds: 120 },
      retention: { days: null },
      telemetry: { otlpEndpoint: null },
      callbacks: { key: null },
      embedded: { user: null },
      db: null,
      git: { allowFileUrls: false },
      secrets: { keys: null },
      registry: { plainHttp: [] },
    });
  });

  it("put the data where the person's data is", () => {
    expect(load({ XDG_DATA_HOME: "/data" }).dataDir).toBe("/data/shipinator");
    expect(load({ XDG_DATA_HOME: "relative" }).dataDir).toBe("/home/ada/.local/share/shipinator");
    expect(load({ XDG_DATA_HOME: "" }).dataDir).toBe("/home/ada/.local/share/shipinator");
    expect(load({ XDG_DATA_HOME: "/data" }, undefined, { uid: 0 }).dataDir).toBe("/var/lib/shipinator");
    expect(load({ SHIPINATOR_DATA_DIR: "/d" }, undefined, { uid: 0 })).toMatchObject({
      dataDir: "/d",
      artifactPath: "/d/artifacts",
    });
    expect(problem({}, undefined, { home: null }).message).toContain("SHIPINATOR_DATA_DIR: is needed");
  });
});

describe("sources", () => {
  const file = `# all of them
data_dir: data
artifact_path: /artifacts
artifact_max_size: 1MiB
listen_address: "[::1]:9000"
tls: { certificate: cert.pem, key: /tls/key.pem, proxy: true }
executor: local
parallel_limit: 3
log_level: debug
local: { slots: 2, min_free_bytes: 1GiB, log_cap: 1.5 MB, grace: 1m }
remote: { launch: [bin/start, "a b"], url: "https://ci.example.com/", slots: 100, pending: 1m, silence: 30s }
retention: { days: 90 }
telemetry: { otlp_endpoint: "http://127.0.0.1:4318" }
callbacks: { key: "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=" }
embedded: { user: postgres }
db:
  host: /run/postgresql
  port: 5433
  user: 1000
  password: 0123
  name: ci
  ssl_mode: verify-full
  ssl_root_certificate: ca.pem
git: { allow_file_urls: true }
secrets: { keys: ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] }
registry: { plain_http: ["a:5000", b] }
`;

  it("are read from a file, every key", () => {
    const config = load({}, file);
    expect(config).toMatchObject({
      dataDir: "/etc/data",
      artifactPath: "/artifacts",
      artifactMaxBytes: 2 ** 20,
      listenAddress: { host: "::1", port: 9000 },
      tls: { files: { certificate: "/etc/cert.pem", key: "/tls/key.pem" }, proxy: true },
      parallelLimit: 3,
      logLevel: "debug",
      local: { slots: 2, user: null, minFreeBytes: 2 ** 30, logCapBytes: 1_500_000, graceSeconds: 60 },
      remote: {
        launch: ["/etc/bin/start", "a b"],
        url: "https://ci.example.com",
        slots: 100,
        pendingSeconds: 60,
        silenceSeconds: 30,
      },
      retention: { days: 90 },
      telemetry: { otlpEndpoint: "http://127.0.0.1:4318" },
      embedded: { user: "postgres" },
      git: { allowFileUrls: true },
      registry: { plainHttp: ["a:5000", "b"] },
    });
    expect(config.secrets.keys?.map((key) => key.reveal())).toEqual([`${"A".repeat(43)}=`]);
    expect(config.callbacks.key?.reveal()).toBe(`${"B".repeat(43)}=`);
    expect(inspect(config)).not.toMatch(/AAAA|BBBB/);
    expect(config.db).toMatchObject({
      host: "/run/postgresql",
      port: 5433,
      user: "1000",
      name: "ci",
      sslMode: "verify-full",
      sslRootCertificate: "/etc/ca.pem",
    });
    expect(config.db?.password.reveal()).toBe("0123");
    for (const { key } of describeServerConfig()) expect(file).toContain(`${key.split(".").at(-1)}:`);
  });

  it("take the executor that the steps run with, and what it needs", () => {
    const launch = { SHIPINATOR_EXECUTOR: "remote", SHIPINATOR_REMOTE_LAUNCH: "start,a" };
    expect(load(launch)).toMatchObject({
      executor: "remote",
      parallelLimit: 16,
      remote: { launch: ["start", "a"] },
    });
    expect(problem({ SHIPINATOR_EXECUTOR: "remote" }).message).toContain(
      "SHIPINATOR_EXECUTOR: executor remote needs remote.launch",
    );
  });

  it("are variables over the file", () => {
    const config = load(
      {
        SHIPINATOR_DATA_DIR: "here",
        SHIPINATOR_DB_PORT: "1",
        SHIPINATOR_DB_PASSWORD: "other",
        SHIPINATOR_REGISTRY_PLAIN_HTTP: "c, d:1",
      },
      file,
    );
    expect(config).toMatchObject({
      dataDir: "/work/here",
      db: { port: 1, user: "1000" },
      registry: { plainHttp: ["c", "d:1"] },
    });
    expect(config.db?.password.reveal()).toBe("other");
  });

  it("may be empty", () => {
    for (const text of ["", "# nothing\n", "---\n"]) expect(load({}, text)).toEqual(load({}));
    expect(load({ SHIPINATOR_DB_HOST: "", SHIPINATOR_LOG_LEVEL: "" })).toEqual(load({}));
  });

  it("have a variable for every key", () => {
    for (const { key, variable, meaning, default: fallback } of describeServerConfig()) {
      expect(variable).toBe(`SHIPINATOR_${key.toUpperCase().replace(".", "_")}`);
      expect(`${meaning}${fallback}`).not.toBe("");
      expect(problem({ [`${variable}X`]: "1" }).message).toContain(`did you mean ${variable}?`);
    }
  });
});

describe("refusals", () => {
  it("are told all at once, each with its source", () => {
    const text = "db:\n  hst: x\n  port: y\nlocal: 3\nlocl: 1\nexecutor: kubernetes\nlog_level:\n";
    const found = problem({ SHIPINATOR_LISTEN_ADDRESS: "8080", SHIPINATOR_DB_POTR: "1" }, text);
    expect(found.code).toBe("server_config_invalid");
    expect(found.exitCode).toBe(2);
    expect(found.message.split("\n")[0]).toBe("8 settings are wrong:");
    for (const line of [
      '/etc/shipinator.yaml:2:3: unknown key "db.hst"; known here: host, port, user, password, name, ssl_mode, ssl_root_certificate; did you mean host?',
      '/etc/shipinator.yaml:3:9: db.port must be a whole number from 1 to 65535, not "y"',
      "/etc/shipinator.yaml:4:8: local must be a mapping",
      '/etc/shipinator.yaml:5:1: unknown key "locl"',
      "/etc/shipinator.yaml:6:11: executor is kubernetes, which is not carried out yet; the executors are local and remote",
      "/etc/shipinator.yaml:7:1: log_level is empty",
      'SHIPINATOR_LISTEN_ADDRESS: listen_address must be host:port such as "127.0.0.1:8080" or "[::1]:8080", not "8080"',
      "SHIPINATOR_DB_POTR: is no variable of Shipinator, so it would be ignored; did you mean SHIPINATOR_DB_PORT?",
    ])
      expect(found.message).toContain(`  ${line}`);
    expect(found.details).toHaveLength(8);
  });

  it.each([
    ["SHIPINATOR_DB_PORT", "0"],
    ["SHIPINATOR_DB_PORT", "65536"],
    ["SHIPINATOR_DB_PORT", "5432x"],
    ["SHIPINATOR_DB_SSL_MODE", "prefer"],
    ["SHIPINATOR_LISTEN_ADDRESS", "::1:80"],
    ["SHIPINATOR_LISTEN_ADDRESS", "localhost:99999"],
    ["SHIPINATOR_LOCAL_SLOTS", "-1"],
    ["SHIPINATOR_LOCAL_USER", "a b"],
    ["SHIPINATOR_LOCAL_LOG_CAP", "64 apples"],
    ["SHIPINATOR_LOCAL_GRACE", "2h"],
    ["SHIPINATOR_LOG_LEVEL", "INFO"],
    ["SHIPINATOR_DATA_DIR", "~/data"],
    ["SHIPINATOR_GIT_ALLOW_FILE_URLS", "yes"],
    ["SHIPINATOR_REGISTRY_PLAIN_HTTP", "http://a"],
    ["SHIPINATOR_EXECUTOR", "docker"],
  ])("names the variable %s where it says %s", (name, value) => {
    const found = problem({ SHIPINATOR_DB_HOST: "h", [name]: value });
    expect(found.message.startsWith(`${name}: `)).toBe(true);
    expect(found.place).toBe(name);
  });

  it.each(["data_dir", "artifact_path", "db.host", "db.user", "db.name"])(
    "does not take an empty %s for a value",
    (key) => {
      const [holder, name] = key.split(".");
      const text = name === undefined ? `${holder}: ""\n` : `db: { host: h, ${name}: "" }\n`;
      expect(problem({}, text.replace('host: h, host: ""', 'host: ""')).message).toContain(`${key} is empty`);
    },
  );

  it("names the source of half a TLS, once", () => {
    expect(problem({}, "tls: { certificate: c.pem }\n").message).toBe(
      "/etc/shipinator.yaml:1:21: tls.certificate needs tls.key beside it",
    );
    expect(problem({ SHIPINATOR_TLS_KEY: "k.pem" }).message).toBe(
      "SHIPINATOR_TLS_KEY: tls.key needs tls.certificate beside it",
    );
    expect(problem({}, 'tls: { certificate: c.pem, key: "~/k.pem" }\n').message).toBe(
      '/etc/shipinator.yaml:1:33: tls.key must be a path, and "~" is not expanded here',
    );
  });

  it("does not ignore a database without a host", () => {
    expect(problem({ SHIPINATOR_DB_PORT: "5432" }).message).toContain(
      "db.port has no meaning without db.host",
    );
  });

  it("checks what a variable covers as well", () => {
    expect(problem({ SHIPINATOR_LOG_LEVEL: "info" }, "log_level: loud\n").message).toContain(
      ".yaml:1:12: log_level must be",
    );
  });

  it("tells a file that is no mapping, no YAML and no text", () => {
    expect(problem({}, "- a\n").message).toBe(
      "/etc/shipinator.yaml:1:1: the file must be a mapping of settings",
    );
    expect(problem({}, "a: 'x\n").message).toContain("/etc/shipinator.yaml:1:5: this is not YAML");
    expect(problem({}, "a\0").message).toContain("binary");
    expect(problem({}, "data_dir: /a\ndata_dir: /b\n").message).toContain(
      ':2:1: the key "data_dir" stands here a second time',
    );
    expect(problem({}, "data_dir: [a]\n").message).toContain("must be a single value, not a list");
    expect(problem({}, "registry: { plain_http: [] }\n").message).toContain("must be a list of texts");
  });
});

describe("variables that are no settings", () => {
  it("are tolerated where steps or the command have them", () => {
    const names = [
      "COMMIT",
      "SHORT_COMMIT",
      "REF",
      "BRANCH",
      "TAG",
      "RUN_ID",
      "RUN_NUMBER",
      "PIPELINE",
      "ARTIFACTS_DIR",
      "STEP",
      "JOB",
      "EXECUTION_ID",
      "CONFIG",
      "SERVER",
      "TOKEN",
      "ARTIFACT",
      "TARGET",
      "NAMESPACE",
      "RELEASE",
      "LANE",
    ];
    expect(load(Object.fromEntries(names.map((name) => [`SHIPINATOR_${name}`, "x"])))).toEqual(load({}));
  });

  it("are tolerated where Kubernetes sets them for a Service, and only then", () => {
    const links = {
      SHIPINATOR_SERVICE_HOST: "10.0.0.1",
      SHIPINATOR_SERVICE_PORT: "80",
      SHIPINATOR_SERVICE_PORT_HTTP: "80",
      SHIPINATOR_PORT: "tcp://10.0.0.1:80",
      SHIPINATOR_PORT_80_TCP: "tcp://10.0.0.1:80",
      SHIPINATOR_PORT_80_TCP_ADDR: "10.0.0.1",
    };
    expect(load(links)).toEqual(load({}));
    expect(problem({ SHIPINATOR_PORT: "80" }).message).toContain("SHIPINATOR_PORT: is no variable");
    expect(problem({ SHIPINATOR_DB_HOST: "h", SHIPINATOR_DB_PORT: "tcp://10.0.0.1:5432" }).message).toContain(
      "enableServiceLinks: false",
    );
  });
});

describe("secrets", () => {
  const password = "hunter2";

  it("are never shown", () => {
    const secret = new Secret(password);
    const config = load({ SHIPINATOR_DB_HOST: "h", SHIPINATOR_DB_PASSWORD: password });
    for (const shown of [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect(secret),
      inspect([secret], { depth: 9, showHidden: true }),
      inspect(config, { depth: 9 }),
      JSON.stringify(config),
    ]) {
      expect(shown).not.toContain(password);
      expect(shown).toContain("[secret]");
    }
    expect(Object.keys(secret)).toEqual([]);
    expect(secret.reveal()).toBe(password);
  });

  it.each([
    [`db: { password: [${password}] }\n`],
    [`db: { password: { ${password}: 1 } }\n`],
    [`db: { host: h, password: *${password} }\n`],
    [`db: { host: h, password: !${password} x }\n`],
    [`db: { password: ${password} }\n`],
    [`db:\n  password: "${password}\n`],
    [`db: { host: h, pasword: ${password} }\n`],
    [`db: { host: h, password: { ? ${password} : 1, 1: 2 } }\n`],
    [`db:\n  host: h\n  password: |${password}\n    x\n`],
    [`db: { host: h, password: "\\${password}" }\n`],
    [`db: { host: "postgres://u:${password}@h/db" }\n`],
  ])("do not stand in the message for %j", (text) => {
    const found = problem({}, text);
    expect(`${found.message} ${found.remedy} ${JSON.stringify(found.details)}`).not.toContain(password);
  });

  it("do not stand in the message for a variable", () => {
    expect(problem({ SHIPINATOR_DB_PASSWORD: password }).message).not.toContain(password);
    expect(problem({ SHIPINATOR_DB_PASWORD: password }).message).not.toContain(password);
  });
});
