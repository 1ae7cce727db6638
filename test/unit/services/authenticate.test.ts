import { describe, expect, it } from "vitest";
import { brandId, type TokenId } from "../../../src/kernel/index.ts";
import { createAuthenticator } from "../../../src/services/auth/authenticate.ts";
import { hashSecret, newSecret } from "../../../src/services/auth/token-secret.ts";
import type { ChangeSubscriber, TokenMatch } from "../../../src/store/index.ts";

function createScene() {
  const secret = newSecret();
  const id = brandId<TokenId>("00000000-0000-7000-8000-000000000001");
  const match: TokenMatch = {
    id,
    name: "ci",
    hash: hashSecret(secret),
    scope: "read",
    project_id: null,
    expires_in_ms: null,
    revoked: false,
  };
  const scene = {
    secret,
    id,
    answer: match as TokenMatch | null,
    now: 0,
    hears: true,
    looks: 0,
    /** While it is set, a look waits for it. */
    gate: null as Promise<void> | null,
  };
  const authenticator = createAuthenticator({
    tokens: async () => ({
      async match() {
        scene.looks += 1;
        const { answer } = scene;
        await scene.gate;
        return answer;
      },
    }),
    clock: { monotonic: () => scene.now },
  });
  let changes: ChangeSubscriber = {};
  authenticator.follow({
    isUp: () => scene.hears,
    subscribe(subscriber) {
      changes = subscriber;
      return () => undefined;
    },
  });
  return { scene, authenticator, changes, match, enter: () => authenticator.authenticate(secret) };
}

const refused = { code: "unauthorized" };

describe("a token that was let in", () => {
  it("is remembered for a second", async () => {
    const { scene, enter } = createScene();
    await enter();
    scene.now = 999;
    await enter();
    expect(scene.looks).toBe(1);
    scene.now = 1_000;
    await enter();
    expect(scene.looks).toBe(2);
  });

  it("is remembered no longer than it holds", async () => {
    const { scene, enter, match } = createScene();
    scene.answer = { ...match, expires_in_ms: 300 };
    await enter();
    scene.answer = { ...match, expires_in_ms: 0 };
    scene.now = 299;
    await enter();
    scene.now = 300;
    await expect(enter()).rejects.toMatchObject(refused);
  });

  it("is forgotten when it is heard of, and another is not", async () => {
    const { scene, changes, enter, match } = createScene();
    await enter();
    changes.token?.("00000000-0000-7000-8000-000000000002");
    await enter();
    expect(scene.looks).toBe(1);
    scene.answer = { ...match, revoked: true };
    changes.token?.(scene.id);
    await expect(enter()).rejects.toMatchObject(refused);
  });

  it("is not remembered when it was revoked while it was looked up", async () => {
    const { scene, changes, enter, match } = createScene();
    const gate = Promise.withResolvers<void>();
    scene.gate = gate.promise;
    const early = enter();
    await new Promise((resolve) => setImmediate(resolve));
    changes.token?.(scene.id);
    gate.resolve();
    await early;
    scene.answer = { ...match, revoked: true };
    await expect(enter()).rejects.toMatchObject(refused);
  });

  it("is not remembered while nothing is heard, nor from before", async () => {
    const { scene, changes, enter, match } = createScene();
    await enter();
    scene.hears = false;
    await enter();
    await enter();
    expect(scene.looks).toBe(3);
    scene.hears = true;
    changes.gap?.();
    scene.answer = { ...match, revoked: true };
    await expect(enter()).rejects.toMatchObject(refused);
  });
});

describe("a token that was refused", () => {
  it("is looked at anew each time: it may be made in the meantime", async () => {
    const { scene, enter, match } = createScene();
    scene.answer = null;
    await expect(enter()).rejects.toMatchObject(refused);
    scene.answer = match;
    expect(await enter()).toMatchObject({ name: "ci" });
  });

  it("is not looked up when it cannot be one", async () => {
    const { scene, authenticator } = createScene();
    for (const text of [
      "",
      "shp_",
      `shp_${"a".repeat(42)}`,
      `shp_${"a".repeat(44)}`,
      `shp_${"é".repeat(43)}`,
    ])
      await expect(authenticator.authenticate(text)).rejects.toMatchObject(refused);
    expect(scene.looks).toBe(0);
  });

  it("is not let in by a row with another hash", async () => {
    const { scene, enter, match } = createScene();
    scene.answer = { ...match, hash: hashSecret("another") };
    await expect(enter()).rejects.toMatchObject(refused);
  });
});
