import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/config/index.ts";
import { load, problem } from "./load.ts";

describe("refusals", () => {
  it("are told all at once, each with its source", () => {
    const text = "db:\n  hst: x\n  port: y\nlocal: 3\nlocl: 1\nexecutor: kubernetes\nlog_level:\n";
    const found = problem({ SHIPINATOR_LISTEN_ADDRESS: "8080", SHIPINATOR_DB_POTR: "1" }, text);
    expect(found.code).toBe("server_config_invalid");
    expect(found.exitCode).toBe(2);
    expect(found.message.split("\n")[0]).toBe("8 settings are invalid:");
    for (const line of [
      '/etc/shipinator.yaml:2:3: Unknown key "db.hst". Known here: host, port, user, password, name, ssl_mode, ssl_root_certificate. Did you mean host?',
      '/etc/shipinator.yaml:3:9: db.port must be a whole number from 1 to 65535, not "y"',
      "/etc/shipinator.yaml:4:8: local must be a mapping",
      '/etc/shipinator.yaml:5:1: Unknown key "locl"',
      '/etc/shipinator.yaml:6:11: executor must be one of local, remote, not "kubernetes"',
      "/etc/shipinator.yaml:7:1: log_level is empty",
      'SHIPINATOR_LISTEN_ADDRESS: listen_address must be host:port such as "127.0.0.1:8080" or "[::1]:8080", not "8080"',
      "SHIPINATOR_DB_POTR: This variable is unknown and would be ignored. Did you mean SHIPINATOR_DB_PORT?",
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
      "/etc/shipinator.yaml:1:21: tls.certificate also needs tls.key.",
    );
    expect(problem({ SHIPINATOR_TLS_KEY: "k.pem" }).message).toBe(
      "SHIPINATOR_TLS_KEY: tls.key also needs tls.certificate.",
    );
    expect(problem({}, 'tls: { certificate: c.pem, key: "~/k.pem" }\n').message).toBe(
      '/etc/shipinator.yaml:1:33: tls.key must be a path, and "~" is not expanded.',
    );
  });

  it("does not ignore a database without a host", () => {
    expect(problem({ SHIPINATOR_DB_PORT: "5432" }).message).toContain("db.port needs db.host.");
  });

  it("checks what a variable covers as well", () => {
    expect(problem({ SHIPINATOR_LOG_LEVEL: "info" }, "log_level: loud\n").message).toContain(
      ".yaml:1:12: log_level must be",
    );
  });

  it("tells a file that is no mapping, no YAML and no text", () => {
    expect(problem({}, "- a\n").message).toBe(
      "/etc/shipinator.yaml:1:1: The file must be a mapping of settings.",
    );
    expect(problem({}, "a: 'x\n").message).toContain("/etc/shipinator.yaml:1:5: The file is not valid YAML");
    expect(problem({}, "a\0").message).toContain("binary");
    expect(problem({}, "data_dir: /a\ndata_dir: /b\n").message).toContain(
      ':2:1: The key "data_dir" is repeated',
    );
    expect(problem({}, "data_dir: [a]\n").message).toContain("must be a single value, not a list");
    expect(problem({}, "registry: { plain_http: [] }\n").message).toContain("must be a list of texts");
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
