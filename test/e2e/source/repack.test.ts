import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/kernel/index.ts";
import type { ResolvedSource } from "../../../src/source/index.ts";
import { commitAll, filesOf, makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;
let origin: string;
let url: string;

beforeEach(() => {
  place = makePlace();
  origin = place.repository("origin", { a: "1\n", "dir/b": "b\n" });
  url = `file://${origin}`;
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000002";

describe("tidying", () => {
  it("gathers a mirror's packs into one, beside fetches, and every commit stays", async () => {
    const source = place.open({ limits: { packs: 4 } });
    const resolveNow = () => source.resolve({ repositoryId, cloneUrl: url, ref: "main" });
    const found: ResolvedSource[] = [];
    const next = async (content: string) => {
      writeFiles(origin, { a: content, [`only-${found.length}`]: content });
      commitAll(place, origin, content);
      found.push(await resolveNow());
    };
    for (const content of ["1", "2", "3"]) await next(content);
    const mirror = join(place.mirrors, `${repositoryId}.git`);
    const packs = () => readdirSync(join(mirror, "objects", "pack")).filter((name) => name.endsWith(".pack"));
    await source.repack();
    expect(packs()).toHaveLength(3);
    for (const content of ["4", "5"]) await next(content);
    await Promise.all([source.repack(), next("6").then(() => next("7"))]);
    await source.repack();
    expect(packs().length).toBeLessThan(4);
    place.git(mirror, "fsck", "--full", "--strict");
    for (const [index, { commit, tree }] of found.entries()) {
      const target = join(place.path, `target-${index}`);
      await source.checkout(
        { repositoryId, cloneUrl: "file:///gone", commit, tree, submodules: false },
        target,
      );
      expect(Object.keys(filesOf(target))).toContain(`only-${index}`);
    }
  });

  it("is not held up for good by what a killed git left, and says what it cannot do", async () => {
    const warned: unknown[] = [];
    const log = { ...silentLogger, warn: (...said: unknown[]) => void warned.push(said.at(-1)) };
    const source = place.open({ limits: { packs: 1 }, log });
    await source.resolve({ repositoryId, cloneUrl: url, ref: "main" });
    const pack = join(place.mirrors, `${repositoryId}.git`, "objects", "pack");
    const lock = join(pack, "multi-pack-index.lock");
    writeFileSync(lock, "");
    await source.repack();
    expect(warned).toEqual(["The packs of a mirror could not be repacked; the mirror still works."]);
    utimesSync(lock, new Date(0), new Date(0));
    await source.repack();
    expect([warned.length, existsSync(lock)]).toEqual([1, false]);
    expect((await source.resolve({ repositoryId, cloneUrl: url, ref: "main" })).commit).toBe(
      place.git(origin, "rev-parse", "HEAD"),
    );
  });
});
