import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Account } from "../../../src/postgres/account.ts";
import { findBinaries, type Installation, locate } from "../../../src/postgres/binaries.ts";
import { prepareLayout } from "../../../src/postgres/layout.ts";
import { thisProcess } from "../../support/postgres-server.ts";
import { newDirectory } from "./processes.ts";

const { uid, gid } = thisProcess();
const self: Account = { name: "self", uid, gid, identity: {} };
/** Nobody's number: reaches only what everybody may. */
const stranger: Account = { name: "stranger", uid: 12345, gid: 12345, identity: {} };

describe("the binaries", () => {
  let parent: string;
  let installed: Installation;

  beforeEach(async () => {
    parent = await newDirectory();
    const { native, version } = locate();
    execFileSync("cp", ["-a", native, join(parent, "native")]);
    installed = { native: join(parent, "native"), version };
  });

  const layout = async () => prepareLayout(await newDirectory(), thisProcess());

  it("are used in place when the account reaches them", async () => {
    const found = await findBinaries(await layout(), self, installed);
    expect(found.postgres).toBe(join(installed.native, "bin/postgres"));
    expect(found.major).toBe("18");
  });

  it("are copied, whole and readable for all, when the account cannot reach them; once", async () => {
    chmodSync(parent, 0o700);
    const place = await layout();
    const [one, two] = await Promise.all([
      findBinaries(place, stranger, installed),
      findBinaries(place, stranger, installed),
    ]);
    expect(one).toEqual(two);
    const copy = join(place.home, `bin-${installed.version}`);
    expect(one.postgres).toBe(join(copy, "bin/postgres"));
    expect(readdirSync(place.home)).toEqual([`bin-${installed.version}`]);
    expect(statSync(one.postgres).mode & 0o777).toBe(0o755);
    expect(statSync(join(copy, "share/postgresql/postgres.bki")).mode & 0o777).toBe(0o644);
    expect(statSync(join(copy, "lib")).mode & 0o777).toBe(0o755);
    expect(execFileSync(one.postgres, ["--version"], { encoding: "utf8" })).toContain("PostgreSQL) 18.");
    rmSync(installed.native, { recursive: true });
    expect(existsSync(join(copy, "lib/libpq.so.5")) || existsSync(join(copy, "lib/libpq.5.dylib"))).toBe(
      true,
    );
  });

  it("get their links back when npm was not allowed to run the script that makes them", async () => {
    const links: { target: string }[] = JSON.parse(
      readFileSync(join(installed.native, "pg-symlinks.json"), "utf8"),
    );
    for (const { target } of links) rmSync(join(parent, target), { force: true });
    const found = await findBinaries(await layout(), self, installed);
    expect(found.postgres).not.toBe(join(installed.native, "bin/postgres"));
    expect(execFileSync(found.initdb, ["--version"], { encoding: "utf8" })).toContain("PostgreSQL) 18.");
    expect(execFileSync(found.postgres, ["--version"], { encoding: "utf8" })).toContain("PostgreSQL) 18.");
  });
});
