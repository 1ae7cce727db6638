import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type InstanceId, newId } from "../../src/kernel/index.ts";
import type { Owner } from "../../src/store/index.ts";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const sha = (letter: string) => letter.repeat(64);
const fresh = (requestSha256 = sha("a")) => ({ caller: newId(), key: "key", requestSha256 });
const keys = () => {
  const { reserve, ...rest } = fixture.store.idempotency;
  type Request = Parameters<typeof reserve>[0];
  return { ...rest, reserve: (request: Request, gone?: Owner) => reserve(request, fixture.owner, gone) };
};
const answer = { name: "x", id: "y", nested: [1.0, null, "\u0000 \ud800"] };

async function pass(seconds: number): Promise<void> {
  await fixture.database.execute(
    `update idempotency_keys
     set created_at = created_at - make_interval(secs => $1), touched_at = touched_at - make_interval(secs => $1)`,
    [seconds],
  );
}

async function idOf(request: ReturnType<typeof fresh>): Promise<string> {
  const reserved = await keys().reserve(request);
  if (reserved.kind !== "new") throw new Error(reserved.kind);
  return reserved.resourceId;
}

describe("a key", () => {
  it("is one request's at a time, of any number at once", async () => {
    const request = fresh();
    const kinds = await Promise.all(Array.from({ length: 8 }, () => keys().reserve(request)));
    expect(kinds.map(({ kind }) => kind).toSorted()).toEqual([...Array(7).fill("busy"), "new"]);
  });

  it("gives its answer again, and refuses another request", async () => {
    const request = fresh();
    await idOf(request);
    expect(await keys().reserve({ ...request, requestSha256: sha("b") })).toEqual({ kind: "mismatch" });
    await keys().complete(request, 201, answer);
    const replay = { kind: "replay", status: 201, answer };
    const again = await keys().reserve(request);
    expect(again).toEqual(replay);
    expect(JSON.stringify(again)).toBe(JSON.stringify(replay));
    expect(await keys().reserve({ ...request, requestSha256: sha("b") })).toEqual({ kind: "mismatch" });
    // The first answer counts.
    await keys().complete(request, 500, null);
    expect(await keys().reserve(request)).toEqual(replay);
  });

  it("is each caller's own", async () => {
    const request = fresh();
    await idOf(request);
    expect(await keys().reserve({ ...request, caller: newId() })).toMatchObject({ kind: "new" });
  });

  it("whose process died is taken over after a minute, with the same id, by the same request", async () => {
    const request = fresh();
    const id = await idOf(request);
    await pass(59);
    expect(await keys().reserve(request)).toEqual({ kind: "busy", holder: fixture.owner });
    await pass(2);
    expect(await keys().reserve({ ...request, requestSha256: sha("b") })).toEqual({ kind: "mismatch" });
    const kinds = await Promise.all([1, 2, 3].map(() => keys().reserve(request)));
    expect(kinds.filter(({ kind }) => kind === "new")).toEqual([{ kind: "new", resourceId: id }]);
    expect(kinds.filter(({ kind }) => kind === "busy")).toHaveLength(2);
  });

  it("is free at once when its process is gone, for the same request, with the same id", async () => {
    const request = fresh();
    const id = await idOf(request);
    const { instance, epoch } = fixture.owner;
    for (const other of [
      { instance: newId<InstanceId>(), epoch },
      { instance, epoch: epoch + 1 },
    ])
      expect(await keys().reserve(request, other)).toEqual({ kind: "busy", holder: fixture.owner });
    const another = { ...request, requestSha256: sha("b") };
    expect(await keys().reserve(another, fixture.owner)).toEqual({ kind: "mismatch" });
    expect(await keys().reserve(request, fixture.owner)).toEqual({ kind: "new", resourceId: id });
    await keys().complete(request, 201, answer);
    expect(await keys().reserve(request, fixture.owner)).toMatchObject({ kind: "replay" });
  });

  it("that was released is free at once; only the same request finds what it may have made", async () => {
    const request = fresh();
    const id = await idOf(request);
    await keys().release(request);
    expect(await idOf(request)).toBe(id);
    await keys().release(request);
    expect(await idOf({ ...request, requestSha256: sha("b") })).not.toBe(id);
    await keys().complete({ ...request, requestSha256: sha("b") }, 201, answer);
    // Too late: it is answered.
    await keys().release({ ...request, requestSha256: sha("b") });
    expect(await keys().reserve({ ...request, requestSha256: sha("b") })).toMatchObject({ kind: "replay" });
  });

  it("is forgotten after a day, and purged a few at a time", async () => {
    const request = fresh();
    const id = await idOf(request);
    await keys().complete(request, 201, answer);
    await pass(24 * 3600 - 60);
    expect(await keys().reserve(request)).toMatchObject({ kind: "replay" });
    await pass(61);
    expect(await idOf({ ...request, requestSha256: sha("c") })).not.toBe(id);
    for (let i = 0; i < 4; i += 1) await idOf(fresh());
    const young = fresh();
    await pass(24 * 3600 + 1);
    await idOf(young);
    expect(await keys().purge(2)).toBe(2);
    while ((await keys().purge(2)) === 2);
    expect(await keys().reserve(young)).toMatchObject({ kind: "busy" });
    const left = await fixture.database.query("select from idempotency_keys");
    expect(left).toHaveLength(1);
  });
});
