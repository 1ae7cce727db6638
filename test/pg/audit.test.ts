import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditEntry, Client } from "../../src/services/index.ts";
import { tryOut } from "./fixture.ts";
import { createServiceBench, type ServiceBench, type Team } from "./operations-bench.ts";

let bench: ServiceBench;
let team: Team;
let admin: Client;
beforeAll(async () => {
  bench = await createServiceBench();
  team = await bench.team("audited");
  admin = bench.operations.as(await bench.caller("admin", null));
});
afterAll(() => bench[Symbol.asyncDispose]());

/** What the work left in the audit, oldest first. */
async function written(work: () => Promise<unknown>): Promise<AuditEntry[]> {
  const [last] = (await bench.local.audit({ limit: 1 })).items;
  await work().catch(() => undefined);
  const { items } = await bench.local.audit({ limit: 1000 });
  return items
    .slice(
      0,
      items.findIndex(({ id }) => id === last?.id),
    )
    .toReversed();
}

const by = { by: "admin of all", request_id: "request-1", token_id: expect.any(String) };

describe("the audit", () => {
  it("has who did what to what", async () => {
    const { pipeline, repository, project, run, deployment } = team;
    const steps: [string, string, () => Promise<unknown>][] = [
      ["projects.update", project, () => admin.projects.update(project, { description: "x" })],
      ["repositories.update", repository, () => admin.repositories.update(repository, {})],
      ["pipelines.update", pipeline, () => admin.pipelines.update(pipeline, {})],
      ["runs.cancel", run, () => admin.cancel(run, "x")],
      ["deployments.resolve", deployment, () => admin.resolveDeployment(deployment, "failed", "x")],
      ["tokens.revoke", team.token, () => admin.tokens.revoke(team.token)],
    ];
    for (const [action, entity_id, work] of steps)
      expect(await written(work)).toEqual([
        expect.objectContaining({ ...by, action, entity_id, project_id: project, outcome: "done" }),
      ]);
  });

  it("has what was triggered and retried", async () => {
    const source = {
      kind: "pipeline",
      pipeline: team.pipeline,
      ref: null,
      sha: null,
      validate: "later",
    } as const;
    const signal = new AbortController().signal;
    expect(await written(() => admin.trigger({ source, only: null, by: "x" }, signal))).toMatchObject([
      { ...by, action: "runs.trigger", project_id: team.project, outcome: "done" },
    ]);
    expect(await written(() => admin.retry({ run: team.run, by: "x" }))).toMatchObject([
      { ...by, action: "runs.retry", outcome: "done", project_id: team.project },
    ]);
  });

  it("has what was refused, and nothing twice", async () => {
    const reader = bench.operations.as(await bench.caller("read", team.project));
    expect(await written(() => reader.projects.remove(team.project))).toMatchObject([
      { by: `read of ${team.project}`, action: "projects.remove", outcome: "refused" },
    ]);
    // Also where a server asks before it looks at the request.
    const caller = await bench.caller("read", null);
    const early = () => bench.operations.allow(caller, "projects.create");
    await expect(early()).rejects.toMatchObject({ code: "forbidden" });
    expect(await written(early)).toMatchObject([{ by: "read of all", outcome: "refused" }]);
    expect(await written(() => bench.operations.allow(caller, "projects.list"))).toEqual([]);
    expect(await written(() => admin.projects.remove(team.project))).toMatchObject([
      { action: "projects.remove", entity_id: team.project, outcome: "refused" },
    ]);
    expect(await written(() => admin.projects.create({ name: "audited" }))).toMatchObject([
      { action: "projects.create", outcome: "refused" },
    ]);
  });

  it("has nothing of what is only read", async () => {
    const { run, project } = team;
    const reads = async () => {
      await admin.projects.get(project);
      await admin.list({});
      await admin.get(run);
      await admin.deployments({});
    };
    expect(await written(reads)).toEqual([]);
  });

  it("has no word that somebody sent in place of an id", async () => {
    const secret = `shp_${"s".repeat(43)}`;
    const asks = async () => {
      for (const work of [
        () => admin.tokens.revoke(secret),
        () => admin.projects.remove(secret),
        () => admin.cancel(secret, secret),
        () => admin.projects.create({ id: secret, name: "x" }),
      ])
        await work().catch(() => undefined);
    };
    const entries = await written(asks);
    expect(entries).toHaveLength(4);
    expect(JSON.stringify(entries)).not.toContain(secret);
  });

  it("of a change that does not come about says so: both are in one transaction", async () => {
    const { database } = bench.fixture;
    await database.execute(
      `create function refuse_audit() returns trigger language plpgsql as $$
       begin if new.outcome = 'done' then raise 'the audit is full'; end if; return new; end $$`,
    );
    await database.execute(
      "create trigger refuse_audit before insert on audit_log for each row execute function refuse_audit()",
    );
    const entries = await written(() => admin.projects.update(team.project, { description: "unaudited" }));
    await database.execute("drop trigger refuse_audit on audit_log");
    expect(entries).toMatchObject([{ action: "projects.update", outcome: "failed" }]);
    expect((await admin.projects.get(team.project)).description).not.toBe("unaudited");
  });

  it("is never changed and never shortened", async () => {
    const { database } = bench.fixture;
    for (const statement of [
      "update audit_log set outcome = 'refused'",
      "delete from audit_log",
      "truncate audit_log",
    ])
      expect(await tryOut(database, [statement])).toMatchObject({ code: "SH001" });
  });

  it("is read newest first, page by page", async () => {
    const all = (await admin.audit({ limit: 1000 })).items;
    const first = await admin.audit({ limit: 2 });
    const second = await admin.audit({ limit: 2, cursor: first.next_cursor ?? "" });
    expect([...first.items, ...second.items]).toEqual(all.slice(0, 4));
    expect(all.map(({ at }) => at)).toEqual(
      all
        .map(({ at }) => at)
        .toSorted()
        .toReversed(),
    );
  });
});
