import { describe, expect, it } from "vitest";
import { describeServerConfig, loadServerConfig } from "../../../src/config/index.ts";
import { readServerFile } from "../../../src/config/server/file.ts";
import { fencesOf, read } from "../docs/support.ts";

const page = read("docs/configuration.md");

describe("docs/configuration.md", () => {
  it("has a row for every setting", () => {
    const absent = describeServerConfig().filter(
      ({ key, variable }) => !page.includes(`\n| \`${key}\` | \`${variable}\` |`),
    );
    expect(absent).toEqual([]);
  });

  it("shows a file that can be loaded", () => {
    const [text = ""] = fencesOf(page).flatMap((fence) => (fence.language === "yaml" ? [fence.text] : []));
    const machine = { home: "/home/me", uid: 1000, cores: 4, cwd: "/" };
    const config = loadServerConfig({
      file: readServerFile({ path: "/etc/s.yaml", text }),
      environment: {},
      machine,
    });
    expect(config).toMatchObject({ dataDir: "/srv/shipinator", db: { host: "db.example" } });
  });

  it("names nothing that is no variable of Shipinator", () => {
    const known = new Set(describeServerConfig().map(({ variable }) => variable));
    const exempt = /^SHIPINATOR_(?:CONFIG|COMMIT|DB_)$/;
    const named = [...page.matchAll(/SHIPINATOR_[A-Z_]+/g)].map(([name]) => name);
    expect(named.filter((name) => !known.has(name) && !exempt.test(name))).toEqual([]);
  });
});
