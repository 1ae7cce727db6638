import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitAll, filesOf, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let origin: string;
let url: string;
let mirror: string;

beforeEach(() => {
  place = makePlace();
  origin = place.repository("origin", { a: "1\n", "dir/b": "b\n" });
  release("1\n");
  url = `file://${origin}`;
  mirror = join(place.mirrors, `${repositoryId}.git`);
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000004";

/** A new commit on the branch that is resolved, and a newer one, HEAD, that is snapshotted. */
function release(content: string): void {
  writeFiles(origin, { released: content });
  commitAll(place, origin, "released");
  place.git(origin, "branch", "--force", "released");
  writeFiles(origin, { newer: content });
  commitAll(place, origin, "newer");
}

function expectRelease(target: string): void {
  expect(place.git(target, "rev-parse", "HEAD")).toBe(place.git(origin, "rev-parse", "released"));
  expect(place.git(target, "status", "--porcelain")).toBe("");
}

/** A process of its own that resolves, snapshots and checks out; prints what it got. */
const work = `
const [directory, origin, target, git] = process.argv.slice(1);
const { createSource } = await import(${JSON.stringify(new URL("../../../src/source/index.ts", import.meta.url).href)});
const { silentLogger, systemClock } = await import(${JSON.stringify(new URL("../../../src/kernel/index.ts", import.meta.url).href)});
await using source = createSource({
  directory, git, environment: process.env, config: "person", urls: { allowLocal: true, allowHttp: false },
  clock: systemClock, log: silentLogger,
});
const repositoryId = ${JSON.stringify(repositoryId)};
const resolved = await source.resolve({ repositoryId, cloneUrl: "file://" + origin, ref: "released" });
const taken = await source.snapshotWorkingTree({ repositoryId, directory: origin });
await source.checkout({ repositoryId, cloneUrl: "file://" + origin, ...resolved, submodules: false }, target + "-commit");
await source.checkout({ repositoryId, cloneUrl: "file://" + origin, ...taken, submodules: false }, target + "-tree");
console.log(JSON.stringify([resolved.commit, taken.tree]));
`;

function workElsewhere(target: string, git = "git"): Promise<{ out: string; signal: string | null }> {
  return new Promise((resolve) => {
    const args = ["--input-type=module", "--eval", work, place.mirrors, origin, target, git];
    execFile(process.execPath, args, { env: place.environment }, (error, out) =>
      resolve({ out: out.trim(), signal: error?.signal ?? null }),
    );
  });
}

async function resolved() {
  const { commit, tree } = await place.source.resolve({ repositoryId, cloneUrl: url, ref: null });
  return { repositoryId, cloneUrl: url, commit, tree, submodules: false };
}

describe("several processes on one mirror", () => {
  it("at once get the same, and each a whole checkout", async () => {
    writeFiles(
      origin,
      Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}`, `${index}\n`])),
    );
    const targets = ["one", "two", "three", "four"].map((name) => join(place.path, name));
    const outcomes = await Promise.all(targets.map((target) => workElsewhere(target)));
    expect(new Set(outcomes.map(({ out }) => out)).size).toBe(1);
    expect(outcomes[0]?.out).toMatch(/^\["[0-9a-f]{40}","[0-9a-f]{40}"\]$/);
    for (const target of targets) {
      expectRelease(`${target}-commit`);
      expect(filesOf(`${target}-tree`)).toEqual(filesOf(origin));
    }
    expect(place.git(mirror, "fsck", "--full", "--no-dangling")).toBe("");
  });

  it("and many calls in one process", async () => {
    const directories = ["x", "y"].map((name) => place.repository(name, { [name]: name }));
    const takes = directories.flatMap((directory) =>
      Array.from({ length: 4 }, () => place.source.snapshotWorkingTree({ repositoryId, directory })),
    );
    const resolves = Array.from({ length: 4 }, () => resolved());
    const trees = (await Promise.all(takes)).map(({ tree }) => tree);
    expect(new Set(trees).size).toBe(2);
    expect(new Set((await Promise.all(resolves)).map(({ tree }) => tree)).size).toBe(1);
    expect(readdirSync(join(mirror, "tmp"))).toEqual([]);
  });
});

describe("kill -9 around a git command", () => {
  it.each([
    ["before", "fetch"],
    ["after", "fetch"],
    ["after", "rev-parse"],
    ["before", "pack-objects"],
    ["after", "pack-objects"],
    ["before", "update-index"],
    ["after", "update-index"],
    ["after", "write-tree"],
    ["after", "read-tree"],
  ])("%s %s: the next call goes on as if nothing had been", async (order, command) => {
    const script = join(place.path, "killing-git");
    // Its parent is the shell that started it, and whose child that is, is the process to kill.
    const kill = "read -r _ _ _ caller _ </proc/$PPID/stat; kill -9 $caller";
    const last = order === "before" ? kill : `git "$@"; ${kill}; exit`;
    writeFileSync(script, `#!/bin/sh\ncase " $* " in *" ${command} "*) ${last};; esac\nexec git "$@"\n`, {
      mode: 0o755,
    });
    const killed = await workElsewhere(join(place.path, "killed"), script);
    expect(killed).toEqual({ out: "", signal: "SIGKILL" });

    const request = { repositoryId, cloneUrl: url };
    const commit = await place.source.resolve({ ...request, ref: "released" });
    const taken = await place.source.snapshotWorkingTree({ repositoryId, directory: origin });
    const targets = { commit: join(place.path, "next-commit"), tree: join(place.path, "next-tree") };
    await place.source.checkout({ ...request, ...commit, submodules: false }, targets.commit);
    await place.source.checkout({ ...request, ...taken, submodules: false }, targets.tree);
    expectRelease(targets.commit);
    expect(filesOf(targets.tree)).toEqual(filesOf(origin));
  });
});

describe("what killed processes may leave", () => {
  it("stale locks and half packs stop nobody, and go when they are old", async () => {
    const first = await resolved();
    const old = new Date(Date.now() - 48 * 3600 * 1000);
    for (const name of ["shallow.lock", "packed-refs.lock", "HEAD.lock", "config.lock", "index.lock"])
      writeFileSync(join(mirror, name), "");
    const halfPack = join(mirror, "objects", "pack", "tmp_pack_aaaaaa");
    const place1 = join(mirror, "tmp", "dead");
    writeFileSync(halfPack, "PACK");
    mkdirSync(place1);
    writeFileSync(join(place1, "shallow.lock"), "");
    for (const path of [halfPack, place1]) utimesSync(path, old, old);
    writeFiles(origin, { a: "2\n" });
    commitAll(place, origin, "second");
    const second = await resolved();
    expect(second.tree).not.toBe(first.tree);
    expect(existsSync(halfPack)).toBe(false);
    expect(existsSync(place1)).toBe(false);
  });
});

describe("a damaged mirror", () => {
  const packs = () =>
    readdirSync(join(mirror, "objects", "pack")).map((name) => join(mirror, "objects", "pack", name));

  const commits = () => readdirSync(join(mirror, "commits")).map((name) => join(mirror, "commits", name));

  function each(names: readonly string[], damage: (name: string) => void): void {
    for (const name of names) {
      // git makes packs read-only, also for their owner.
      chmodSync(name, 0o600);
      damage(name);
    }
  }

  async function mendsItself(): Promise<void> {
    const target = join(place.path, `mended-${readdirSync(place.path).length}`);
    await place.source.checkout(await resolved(), target);
    expect(filesOf(target)).toEqual(filesOf(origin));
    writeFiles(origin, { a: `${target}\n` });
    commitAll(place, origin, "next");
    const next = `${target}-next`;
    await place.source.checkout(await resolved(), next);
    expect(filesOf(next)).toEqual(filesOf(origin));
  }

  it.each([
    [
      "packs cut short",
      () =>
        each(
          packs().filter((name) => name.endsWith(".pack")),
          (name) => truncateSync(name, 30),
        ),
    ],
    ["empty packs", () => each(packs(), (name) => truncateSync(name, 0))],
    ["lost packs", () => each(packs(), rmSync)],
    ["a pack with other bytes", () => flip(packs().find((name) => name.endsWith(".pack")) ?? "")],
    ["a lost HEAD", () => rmSync(join(mirror, "HEAD"))],
    ["an empty config", () => truncateSync(join(mirror, "config"), 0)],
    ["lost objects", () => rmSync(join(mirror, "objects"), { recursive: true })],
    ["garbage for a commit's tree", () => each(commits(), (name) => writeFileSync(name, "x"))],
  ])("(%s) is mended from the remote", async (_, damage) => {
    await resolved();
    damage();
    await mendsItself();
  });

  function flip(file: string): void {
    const bytes = readFileSync(file);
    for (let at = 40; at < bytes.length - 20; at += 7) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    rmSync(file);
    writeFileSync(file, bytes);
  }

  it("that is no directory is put aside", async () => {
    await resolved();
    rmSync(join(mirror, "objects"), { recursive: true });
    writeFileSync(join(mirror, "objects"), "");
    await mendsItself();
    expect(readdirSync(place.mirrors).some((name) => name.includes(".broken-"))).toBe(true);
  });

  it("that lost a working directory's bytes says that the run must start again, and the next snapshot is whole", async () => {
    const directory = join(place.path, "plain");
    writeFiles(directory, { a: "a\n", b: "b\n" });
    const taken = await place.source.snapshotWorkingTree({ repositoryId, directory });
    for (const folder of readdirSync(join(mirror, "objects")).filter((name) => name.length === 2))
      rmSync(join(mirror, "objects", folder), { recursive: true });
    const spec = { repositoryId, cloneUrl: directory, ...taken, submodules: false };
    await expect(place.source.checkout(spec, join(place.path, "t1"))).rejects.toMatchObject({
      code: "source_unavailable",
      remedy: expect.stringMatching(/Start the run again/),
    });
    await place.source.snapshotWorkingTree({ repositoryId, directory });
    await place.source.checkout(spec, join(place.path, "t2"));
    expect(filesOf(join(place.path, "t2"))).toEqual(filesOf(directory));
  });
});
