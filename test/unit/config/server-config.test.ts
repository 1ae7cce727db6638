import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { describeServerConfig } from "../../../src/config/index.ts";
import { load, problem } from "./load.ts";

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
      local: {
        slots: 4,
        user: null,
        image: "ignore",
        users: [],
        home: "project",
        minFreeBytes: 268_435_456,
        logCapBytes: 67_108_864,
        graceSeconds: 10,
      },
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
    expect(problem({}, undefined, { home: null }).message).toContain(
      "SHIPINATOR_DATA_DIR: The data directory must be set",
    );
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
local: { users: [ci-1, ci-2], home: shared, slots: 2, image: refuse, min_free_bytes: 1GiB, log_cap: 1.5 MB, grace: 1m }
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
      local: {
        slots: 2,
        user: null,
        image: "refuse",
        users: ["ci-1", "ci-2"],
        home: "shared",
        minFreeBytes: 2 ** 30,
        logCapBytes: 1_500_000,
        graceSeconds: 60,
      },
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
      "SHIPINATOR_EXECUTOR: The remote executor needs remote.launch",
    );
  });

  it("let one run use all slots unless they say how many", () => {
    const slots = { SHIPINATOR_LOCAL_SLOTS: "16" };
    expect(load(slots)).toMatchObject({ parallelLimit: 16, local: { slots: 16 } });
    expect(load({ ...slots, SHIPINATOR_PARALLEL_LIMIT: "2" })).toMatchObject({
      parallelLimit: 2,
      local: { slots: 16 },
    });
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
      expect(problem({ [`${variable}X`]: "1" }).message).toContain(`Did you mean ${variable}?`);
    }
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
      "WORKER",
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
    expect(problem({ SHIPINATOR_LOCAL_USER: "ci", SHIPINATOR_LOCAL_USERS: "ci-1,ci-2" }).message).toContain(
      "SHIPINATOR_LOCAL_USERS: local.users and local.user exclude each other",
    );
    expect(problem({ SHIPINATOR_LOCAL_USERS: "ci-1,root" }).message).toContain('other than root, not "root"');
    expect(problem({ SHIPINATOR_PORT: "80" }).message).toContain("SHIPINATOR_PORT: This variable is unknown");
    expect(problem({ SHIPINATOR_DB_HOST: "h", SHIPINATOR_DB_PORT: "tcp://10.0.0.1:5432" }).message).toContain(
      "enableServiceLinks: false",
    );
  });
});
