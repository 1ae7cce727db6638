import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ensureAdminToken, readAdminToken } from "../../src/services/index.ts";
import { createServiceBench, type ServiceBench } from "./operations-bench.ts";

let bench: ServiceBench;
let directory: string;
let file: string;
beforeAll(async () => {
  bench = await createServiceBench();
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shipinator-admin-"));
  file = join(directory, "admin-token");
  return () => rmSync(directory, { recursive: true, force: true });
});

const uid = process.getuid?.() ?? 0;
const ensure = (host = "host") => ensureAdminToken(bench.fixture.store.tokens, { file, host, uid });
const held = () => readFileSync(file, "utf8").trim();
const enter = (token: string) => bench.operations.authenticate(token, null);

describe("the admin's token of a server", () => {
  it("is made in a file for one account, and lets in as an admin of all projects", async () => {
    expect(await ensure()).toBe("made");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(["admin-token"]);
    expect(await enter(held())).toMatchObject({ name: "admin", scope: "admin", project: null });
    expect(readAdminToken(file)).toBe(held());
  });

  it("is kept over restarts", async () => {
    await ensure();
    const token = held();
    expect(await ensure()).toBe("kept");
    expect(held()).toBe(token);
  });

  it.each([
    ["lost", async () => rmSync(file)],
    ["emptied", async () => writeFileSync(file, "")],
    ["changed", async () => writeFileSync(file, `shp_${"a".repeat(43)}\n`)],
    ["cut short by a crash", async () => writeFileSync(file, held().slice(0, 20))],
    ["overwritten with a large file", async () => writeFileSync(file, "x".repeat(100_000))],
    [
      "overwritten with a token for less",
      async () => {
        const { token } = await bench.local.tokens.create({ name: "x", scope: "trigger" });
        writeFileSync(file, token);
      },
    ],
    [
      "revoked",
      async () => {
        const { tokenId } = await enter(held());
        await bench.local.tokens.revoke(tokenId ?? "");
      },
    ],
  ])("is made anew when it was %s, and the old one holds no more", async (_what, harm) => {
    await ensure();
    const old = held();
    await harm();
    expect(await ensure()).toBe("made");
    expect(held()).not.toBe(old);
    expect(await enter(held())).toMatchObject({ scope: "admin" });
    await expect(enter(old)).rejects.toMatchObject({ code: "unauthorized" });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("may be one that a person made and put there", async () => {
    await ensure();
    const old = held();
    const { token } = await bench.local.tokens.create({ name: "mine", scope: "admin" });
    writeFileSync(file, token);
    expect(await ensure()).toBe("kept");
    expect(held()).toBe(token);
    await expect(enter(old)).rejects.toMatchObject({ code: "unauthorized" });
  });

  it.each([0o644, 0o640, 0o604, 0o660])("is refused in a file with the rights %o", async (mode) => {
    await ensure();
    const token = held();
    chmodSync(file, mode);
    await expect(ensure()).rejects.toMatchObject({
      code: "data_dir_unusable",
      place: file,
      message: expect.stringContaining(mode.toString(8)),
      remedy: expect.stringContaining("Remove the file"),
    });
    expect(() => readAdminToken(file)).toThrow("others may know the token");
    expect(held()).toBe(token);
  });

  it("is not read through a link, nor from a directory", async () => {
    symlinkSync("/etc/passwd", file);
    await expect(ensure()).rejects.toMatchObject({ code: "data_dir_unusable" });
    rmSync(file);
    file = directory;
    await expect(ensure()).rejects.toMatchObject({ code: "data_dir_unusable" });
  });

  it("is one, when several servers start at once", async () => {
    const made = await Promise.all([ensure(), ensure(), ensure()]);
    expect(made.sort()).toEqual(["kept", "kept", "made"]);
    expect(await enter(held())).toMatchObject({ scope: "admin" });
    const names = (await bench.local.tokens.list({ limit: 3 })).items;
    expect(names.filter(({ name, revoked_at }) => name === "admin" && revoked_at === null)[0]).toBeDefined();
  });

  it("is each server's own where several machines share a database, whatever people call theirs", async () => {
    const { token: named } = await bench.local.tokens.create({ name: "admin", scope: "admin" });
    await ensure("one");
    const first = held();
    rmSync(file);
    await ensure("two");
    for (const token of [named, first, held()]) expect(await enter(token)).toMatchObject({ name: "admin" });
  });

  it("leaves nothing in the database when the file cannot be written", async () => {
    const before = (await bench.local.tokens.list({ limit: 1000 })).items.length;
    file = join(directory, "absent", "admin-token");
    await expect(ensure()).rejects.toMatchObject({ code: "data_dir_unusable" });
    expect((await bench.local.tokens.list({ limit: 1000 })).items).toHaveLength(before);
  });
});
