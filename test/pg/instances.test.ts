import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type InstanceId, newId } from "../../src/kernel/index.ts";
import { createFixture, type Fixture, registerInstance } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe("an instance", () => {
  it("holds a lease by the database's clock, and each renewal is counted", async () => {
    const { store, database } = fixture;
    const owner = await registerInstance(store);
    expect(owner.epoch).toBe(1);
    expect(await store.instances.renew(owner, 60)).toBe(true);
    expect(await store.instances.renew(owner, 90)).toBe(true);
    expect(await store.instances.get(owner.instance)).toMatchObject({
      renewals: 2,
      ended_at: null,
      away_until: null,
    });
    const [row] = await database.query<{ left: number }>(
      "select extract(epoch from lease_until - now())::double precision as left from instances where id = $1::uuid",
      [owner.instance],
    );
    expect(row?.left).toBeGreaterThan(60);
    expect(row?.left).toBeLessThanOrEqual(90);
  });

  it("announces a planned absence and withdraws it", async () => {
    const { store } = fixture;
    const owner = await registerInstance(store);
    expect(await store.instances.announceAway(owner, 900)).toBe(true);
    expect((await store.instances.get(owner.instance))?.away_until).toBeInstanceOf(Date);
    expect(await store.instances.announceAway(owner, 0)).toBe(true);
    expect((await store.instances.get(owner.instance))?.away_until).toBe(null);
  });

  it("that has ended, or whose epoch has passed, renews nothing", async () => {
    const { store } = fixture;
    const owner = await registerInstance(store);
    const passed = { ...owner, epoch: owner.epoch - 1 };
    expect(await store.instances.renew(passed, 30)).toBe(false);
    expect(await store.instances.end(passed)).toBe(false);
    const ends = await Promise.all([store.instances.end(owner), store.instances.end(owner)]);
    expect(ends.sort()).toEqual([false, true]);
    expect(await store.instances.renew(owner, 30)).toBe(false);
    expect(await store.instances.announceAway(owner, 30)).toBe(false);
    expect(await store.instances.get(owner.instance)).toMatchObject({ epoch: 2 });
    expect(await store.instances.get(newId<InstanceId>())).toBe(null);
  });

  it("is listed with those of its data directory until it ends", async () => {
    const { store } = fixture;
    const before = (await store.instances.present("/var/lib/shipinator")).map(({ id }) => id);
    const owner = await registerInstance(store);
    expect((await store.instances.present("/var/lib/shipinator")).map(({ id }) => id)).toEqual([
      ...before,
      owner.instance,
    ]);
    expect((await store.instances.present()).length).toBe(before.length + 1);
    expect(await store.instances.present("/elsewhere")).toEqual([]);
    await store.instances.end(owner);
    expect((await store.instances.present()).map(({ id }) => id)).toEqual(before);
  });
});
