/** What is no whole backup restores nothing, writes nothing elsewhere, and leaves the place empty. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packTar, type TarEntry, unpackTar } from "modern-tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Problem } from "../../../src/kernel/index.ts";
import { restoreFiles } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";

let world: World;
let whole: Buffer;
let entries: TarEntry[];
beforeAll(async () => {
  world = await World.prepared();
  const directory = world.directory("one", {
    ".shipinator.yaml":
      "build:\n  steps:\n    - { name: s, run: 'echo log; echo bytes >app', outputs: [{ type: binary, path: app }] }\n",
  });
  expect((await world.run([directory])).code).toBe(0);
  const file = join(world.root, "backup.tar");
  expect((await world.shipinator(["backup", file])).code).toBe(0);
  whole = readFileSync(file);
  entries = (await unpackTar(whole)).map(({ header, data }) => ({ header, ...(data ? { body: data } : {}) }));
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** Restores into new directories; gives the problem, or null. */
async function problemOf(bytes: Uint8Array): Promise<Problem | null> {
  const root = mkdtempSync(join(tmpdir(), "shipinator-restore-"));
  try {
    await restoreFiles({
      bytes: pieces(bytes),
      artifactPath: join(root, "artifacts"),
      logPath: join(root, "logs"),
      mirrorPath: join(root, "mirrors"),
      tablePath: join(root, "tables"),
      signal: new AbortController().signal,
    });
    return null;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  } finally {
    for (const name of readdirSync(root)) expect(["artifacts", "logs", "mirrors", "tables"]).toContain(name);
    rmSync(root, { recursive: true });
  }
}

async function* pieces(bytes: Uint8Array) {
  for (let at = 0; at < bytes.length; at += 10_007) yield bytes.subarray(at, at + 10_007);
}

/** The archive with its entries changed. */
async function changed(change: (entries: TarEntry[]) => TarEntry[]): Promise<Uint8Array> {
  return await packTar(change([...entries]));
}

const file = (name: string, text = "x"): TarEntry => ({
  header: { name, size: text.length, type: "file", mode: 0o600 },
  body: text,
});

describe("the bytes of a backup", () => {
  it("that are whole are restored", async () => {
    expect(await problemOf(whole)).toBeNull();
    expect(await problemOf(await changed((all) => all))).toBeNull();
  });

  it("that end too early are refused, wherever that is", async () => {
    const ends = [0, 1, 511, 512, 513, 1024, 5_000];
    for (let part = 1; part < 16; part++) ends.push(Math.floor((whole.length * part) / 16));
    for (const end of ends) {
      const problem = await problemOf(whole.subarray(0, end));
      expect([end, problem?.code]).toEqual([end, "config_invalid"]);
    }
  });

  it("of which one is another are refused", async () => {
    let refused = 0;
    let at = 700;
    for (const { header, body } of entries) {
      if (!(body instanceof Uint8Array) || body.length === 0) continue;
      at = whole.indexOf(body);
      const flipped = Buffer.from(whole);
      flipped[at + (body.length >> 1)] = (flipped[at + (body.length >> 1)] ?? 0) ^ 1;
      const problem = await problemOf(flipped);
      expect([header.name, problem?.code]).toEqual([header.name, "config_invalid"]);
      refused += 1;
    }
    expect(refused).toBeGreaterThan(15);
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["zeros", Buffer.alloc(10_240)],
    ["a text", Buffer.from("this is not a backup\n".repeat(100))],
    ["a gzip", Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])],
  ])("that are %s are refused", async (_, bytes) => {
    expect(await problemOf(bytes)).toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/^this is no whole backup: /),
    });
  });
});

describe("the entries of a backup", () => {
  it.each([
    ["a way out", file("mirrors/../../outside")],
    ["a way out by its kind", file("tables/../outside")],
    ["an absolute name", file("/tmp/shipinator-outside")],
    ["a name of no kind", file("admin-token")],
    ["a symlink", { header: { name: "mirrors/link", size: 0, type: "symlink", linkname: "/etc" } }],
    ["a hard link", { header: { name: "logs/link", size: 0, type: "link", linkname: "/etc/passwd" } }],
    ["one that its contents do not have", file("mirrors/more")],
  ] satisfies [string, TarEntry][])("are refused with %s among them", async (_, entry) => {
    const bytes = await changed((all) => [...all.slice(0, -1), entry, ...all.slice(-1)]);
    expect(await problemOf(bytes)).toMatchObject({ code: "config_invalid" });
    expect(existsSync("/tmp/shipinator-outside")).toBe(false);
  });

  it("are refused when one comes twice, is missing, stands elsewhere, or comes after the end", async () => {
    const changes: ((all: TarEntry[]) => TarEntry[])[] = [
      (all) => [...all.slice(0, 3), ...all.slice(2)],
      (all) => all.filter((_, index) => index !== 3),
      (all) => [...all.slice(1, 2), ...all.slice(0, 1), ...all.slice(2)],
      (all) => all.slice(1),
      (all) => all.slice(0, -1),
      (all) => [...all, file("mirrors/late")],
    ];
    for (const change of changes) {
      const problem = await problemOf(await changed(change));
      expect([String(change), problem?.code]).toEqual([String(change), "config_invalid"]);
    }
  });

  it.each([
    ["another format", { format: 2 }],
    ["no tables", { tables: undefined }],
    ["a field that nobody knows", { surprise: true }],
  ])("are refused with a header of %s", async (_, over) => {
    const bytes = await changed(([header, ...rest]) => {
      const text = JSON.parse(Buffer.from(header?.body as Uint8Array).toString());
      return [file("backup.json", JSON.stringify({ ...text, ...over })), ...rest];
    });
    expect(await problemOf(bytes)).toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining("its backup.json is not as expected at"),
    });
  });
});

describe("restore of what is no backup", () => {
  it("leaves the data directory empty, so that the right one can be restored", async () => {
    await using target = new World();
    const cut = join(target.root, "cut.tar");
    writeFileSync(cut, whole.subarray(0, whole.length - 4_000));
    const refused = await target.shipinator(["restore", cut]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("this is no whole backup") });
    expect(refused.stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(target.dataDir)).toEqual([]);
    const { code } = await target.shipinator(["restore", "-"], { input: whole });
    expect(code).toBe(0);
    expect(await target.log("1", "s")).toBe("log\n");
  });
});
