import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NodeId, newId } from "../../src/kernel/index.ts";
import { createFixture, type Fixture, registerNode } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe("a node", () => {
  it("holds a lease by the database's clock, and each renewal moves its beats", async () => {
    const { store, database } = fixture;
    const owner = await registerNode(store);
    expect(owner.epoch).toBe(1);
    expect(await store.nodes.renew(owner, 60)).toBe(true);
    expect(await store.nodes.renew(owner, 90)).toBe(true);
    expect(await store.nodes.get(owner.node)).toMatchObject({ beats: 2, ended_at: null, away_until: null });
    const [row] = await database.query<{ left: number }>(
      "select extract(epoch from lease_until - now())::double precision as left from nodes where id = $1::uuid",
      [owner.node],
    );
    expect(row?.left).toBeGreaterThan(60);
    expect(row?.left).toBeLessThanOrEqual(90);
  });

  it("announces a planned absence and withdraws it", async () => {
    const { store } = fixture;
    const owner = await registerNode(store);
    expect(await store.nodes.announceAway(owner, 900)).toBe(true);
    expect((await store.nodes.get(owner.node))?.away_until).toBeInstanceOf(Date);
    expect(await store.nodes.announceAway(owner, 0)).toBe(true);
    expect((await store.nodes.get(owner.node))?.away_until).toBe(null);
  });

  it("that has ended, or whose epoch has passed, renews nothing", async () => {
    const { store } = fixture;
    const owner = await registerNode(store);
    const passed = { ...owner, epoch: owner.epoch - 1 };
    expect(await store.nodes.renew(passed, 30)).toBe(false);
    expect(await store.nodes.end(passed)).toBe(false);
    const ends = await Promise.all([store.nodes.end(owner), store.nodes.end(owner)]);
    expect(ends.sort()).toEqual([false, true]);
    expect(await store.nodes.renew(owner, 30)).toBe(false);
    expect(await store.nodes.announceAway(owner, 30)).toBe(false);
    expect(await store.nodes.get(owner.node)).toMatchObject({ epoch: 2 });
    expect(await store.nodes.get(newId<NodeId>())).toBe(null);
  });

  it("is listed with those of its data directory until it ends", async () => {
    const { store } = fixture;
    const before = (await store.nodes.present("/var/lib/shipinator")).map(({ id }) => id);
    const owner = await registerNode(store);
    expect((await store.nodes.present("/var/lib/shipinator")).map(({ id }) => id)).toEqual([
      ...before,
      owner.node,
    ]);
    expect((await store.nodes.present()).length).toBe(before.length + 1);
    expect(await store.nodes.present("/elsewhere")).toEqual([]);
    await store.nodes.end(owner);
    expect((await store.nodes.present()).map(({ id }) => id)).toEqual(before);
  });
});
