import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newId, Problem, silentLogger, systemClock, type TokenId } from "../../src/kernel/index.ts";
import {
  type Authenticator,
  type Client,
  createAuthenticator,
  type GivenId,
  type NewToken,
} from "../../src/services/index.ts";
import { type ChangeFeed, createChangeFeed } from "../../src/store/index.ts";
import { eventually } from "../support/eventually.ts";
import { tryOut } from "./fixture.ts";
import { createServiceBench, type ServiceBench } from "./operations-bench.ts";

let bench: ServiceBench;
let local: Client;
beforeAll(async () => {
  bench = await createServiceBench();
  ({ local } = bench);
});
afterAll(() => bench[Symbol.asyncDispose]());

const make = (more: Partial<NewToken & GivenId> = {}) =>
  local.tokens.create({ name: "ci", scope: "read", ...more });
const enter = (token: string) => bench.operations.authenticate(token, "request-7");
const inAMinute = () => new Date(Date.now() + 60_000).toISOString();

/** Makes a token that has expired: the operation makes none. */
async function expire(token: string): Promise<void> {
  const { database } = bench.fixture;
  await database.transaction(async (transaction) => {
    await transaction.execute("alter table tokens disable trigger tokens_guard");
    await transaction.execute(
      "update tokens set expires_at = now() - interval '1 second' where hash = sha256($1::bytea)",
      [Buffer.from(token)],
    );
    await transaction.execute("alter table tokens enable trigger tokens_guard");
  });
}

describe("a token", () => {
  it("lets in as what it was made for", async () => {
    const { id: project } = await local.projects.create({ name: "of tokens" });
    const made = await make({ name: "deployer", scope: "trigger", project_id: project });
    expect(made).toMatchObject({ created_by: "ada", expires_at: null, revoked_at: null });
    expect(made.token).toMatch(/^shp_[A-Za-z0-9_-]{43}$/);
    expect(await enter(made.token)).toEqual({
      name: "deployer",
      scope: "trigger",
      project,
      tokenId: made.id,
      requestId: "request-7",
    });
  });

  it("is nowhere in the database and in no answer after the first", async () => {
    const { token, ...shown } = await make();
    const page = await local.tokens.list({ limit: 1000 });
    expect(page.items).toContainEqual(shown);
    const secret = token.slice("shp_".length);
    expect(JSON.stringify([page, await local.audit({ limit: 1000 })])).not.toContain(secret);
    const rows = await bench.fixture.database.query<{ text: string }>(
      "select query_to_xml('select * from tokens, audit_log', true, true, '')::text as text",
    );
    expect(rows[0]?.text).not.toContain(secret);
    expect(rows[0]?.text).not.toContain(Buffer.from(token).toString("base64"));
  });

  it.each([
    ["malformed", async () => "shp_short"],
    ["empty", async () => ""],
    ["of another form", async () => `ghp_${"a".repeat(43)}`],
    ["with something behind it", async () => `${(await make()).token}\n`],
    ["unknown", async () => `shp_${"a".repeat(43)}`],
    [
      "expired",
      async () => {
        const { token } = await make({ expires_at: inAMinute() });
        await expire(token);
        return token;
      },
    ],
    [
      "revoked",
      async () => {
        const { id, token } = await make();
        await local.tokens.revoke(id);
        return token;
      },
    ],
    [
      "of a removed project",
      async () => {
        const { id } = await local.projects.create({ name: "removed" });
        const { token } = await make({ project_id: id });
        await local.projects.remove(id, "remove");
        return token;
      },
    ],
  ])("that is %s is refused in the words for any other", async (_what, secret) => {
    await expect(enter(await secret())).rejects.toMatchObject({
      code: "unauthorized",
      status: 401,
      message: "The request has no valid token.",
    });
  });

  it("holds until it expires", async () => {
    expect(await enter((await make({ expires_at: inAMinute() })).token)).toMatchObject({ name: "ci" });
  });

  it.each(["2020-01-01T00:00:00Z", "tomorrow", "", "2030", "9999999999"])(
    "is not made to expire at %j",
    async (expires_at) => {
      await expect(make({ expires_at })).rejects.toMatchObject({ code: "usage", place: "expires_at" });
    },
  );

  it.each(["", "a\0b", "line\nend", "\ud800", "x".repeat(2000)])("is not called %j", async (name) => {
    await expect(make({ name })).rejects.toMatchObject({ code: "usage", place: "name" });
  });

  it("is revoked once; again says when", async () => {
    const { id } = await make();
    const { revoked_at } = await local.tokens.revoke(id);
    expect(revoked_at).not.toBeNull();
    expect(await local.tokens.revoke(id)).toMatchObject({ id, revoked_at });
  });

  it("is made once under an id, for its secret was shown then", async () => {
    const id = newId<TokenId>();
    await make({ id });
    await expect(make({ id })).rejects.toMatchObject({ code: "conflict", place: "id" });
  });

  it.each([
    "scope = 'admin'",
    "project_id = null",
    "expires_at = null",
    "hash = sha256('x')",
    "revoked_at = null",
    "name = 'root'",
  ])("never changes in the database to %s", async (change) => {
    const { id: project } = await local.projects.create({ name: change });
    const { id } = await make({ project_id: project, expires_at: inAMinute() });
    const revoked = await make({ project_id: project, expires_at: inAMinute() });
    await local.tokens.revoke(revoked.id);
    const { database } = bench.fixture;
    const update = `update tokens set ${change} where id = $1::uuid`;
    if (change !== "revoked_at = null")
      expect(await tryOut(database, [update, [id]])).toMatchObject({ code: "SH001" });
    expect(await tryOut(database, [update, [revoked.id]])).toMatchObject({ code: "SH001" });
  });
});

describe("an answer that is given again", () => {
  it("is opened by who asked for it, and the database cannot read it", async () => {
    const { idempotency } = bench.operations;
    const { token, ...made } = await make();
    const key = { caller: made.id, key: "k", requestSha256: "a".repeat(64), credential: token };
    expect(await idempotency.reserve(key)).toMatchObject({ kind: "new" });
    const answer = { ...made, token, text: "Füße \u0000 \ud800" };
    await idempotency.complete(key, 201, answer);
    expect(await idempotency.reserve(key)).toEqual({ kind: "replay", status: 201, answer });
    const rows = await bench.fixture.database.query<{ answer: string }>(
      "select answer from idempotency_keys",
    );
    const kept = Buffer.from(rows[0]?.answer ?? "", "base64").toString("latin1") + JSON.stringify(rows);
    for (const part of [token, "revoked_at", made.id]) expect(kept).not.toContain(part);
    await expect(idempotency.reserve({ ...key, credential: "another" })).rejects.toThrow();
  });
});

describe("an admin of one project", () => {
  it("makes tokens for that project alone", async () => {
    const mine = await bench.team("admins");
    const admin = bench.operations.as(await bench.caller("admin", mine.project));
    const made = await admin.tokens.create({ name: "x", scope: "admin", project_id: mine.project });
    expect(made.project_id).toBe(mine.project);
    await expect(admin.tokens.create({ name: "x", scope: "read", project_id: null })).rejects.toMatchObject({
      code: "forbidden",
    });
    await expect(admin.tokens.create({ name: "x", scope: "read" })).rejects.toMatchObject({
      code: "forbidden",
    });
    const all = await make();
    await expect(admin.tokens.revoke(all.id)).rejects.toMatchObject({ code: "not_found" });
    const seen = (await admin.tokens.list({ limit: 1000 })).items;
    expect(new Set(seen.map(({ project_id }) => project_id))).toEqual(new Set([mine.project]));
  });
});

describe("a server that remembers tokens", () => {
  /** Two servers on one database; looks are counted. */
  let servers: { authenticator: Authenticator; changes: ChangeFeed; looks: () => number }[];
  beforeEach(async () => {
    servers = [openServer(), openServer()];
    await eventually(() => servers.every(({ changes }) => changes.isUp()));
  });
  afterEach(async () => {
    for (const { changes } of servers) await changes[Symbol.asyncDispose]();
  });

  function openServer() {
    let looks = 0;
    const { store, database } = bench.fixture;
    const parts = { clock: systemClock, log: silentLogger };
    const tokens = {
      match(hash: Buffer) {
        looks += 1;
        return store.tokens.match(hash);
      },
    };
    const clock = { monotonic: () => 0 };
    const authenticator = createAuthenticator({ clock, tokens: async () => tokens });
    const changes = createChangeFeed({ ...parts, settings: database.settings });
    authenticator.follow(changes);
    return { authenticator, changes, looks: () => looks };
  }

  const allEnter = (token: string) =>
    Promise.all(servers.map(({ authenticator }) => authenticator.authenticate(token)));

  it("asks the database once for many requests", async () => {
    const { token } = await make();
    for (let i = 0; i < 50; i += 1) await allEnter(token);
    for (const { looks } of servers) expect(looks()).toBeLessThan(5);
  });

  it.each([
    ["revoked", (id: string, _project: string) => local.tokens.revoke(id)],
    ["removed with its project", (_id: string, project: string) => local.projects.remove(project, "remove")],
    [
      "revoked by hand in the database",
      (id: string, _project: string) =>
        bench.fixture.database.execute("update tokens set revoked_at = now() where id = $1::uuid", [id]),
    ],
  ])("lets nobody in with a token that was %s", async (what, end) => {
    const { id: project } = await local.projects.create({ name: what });
    const { id, token } = await make({ project_id: project });
    await allEnter(token);
    await end(id, project);
    // The servers' clock stands still: a remembered token never expires by itself.
    for (const { authenticator } of servers) {
      const entered = () => authenticator.authenticate(token).then(() => "let in", Problem.from);
      await eventually(async () => expect(await entered()).toMatchObject({ code: "unauthorized" }));
    }
  });

  it("remembers nothing while it does not hear, and hears again", async () => {
    const { token } = await make();
    await allEnter(token);
    const [server] = servers;
    if (server === undefined) throw new Error("no server");
    await bench.fixture.database.execute(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'shipinator listener'`,
    );
    await eventually(() => !server.changes.isUp());
    const before = server.looks();
    await server.authenticator.authenticate(token);
    await server.authenticator.authenticate(token);
    expect(server.looks()).toBe(before + 2);
    await eventually(() => server.changes.isUp());
  });

  it("asks nothing of the database when nothing happens", async () => {
    const listening = await bench.fixture.database.query<{ query: string }>(
      `select query from pg_stat_activity
       where datname = current_database() and application_name = 'shipinator listener'`,
    );
    expect(listening.map(({ query }) => query)).toEqual(Array(2).fill("listen shipinator_changes"));
  });
});
