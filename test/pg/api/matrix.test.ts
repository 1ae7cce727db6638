import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { type Answer, type Route, routes, type Service, startService } from "./service.ts";

let service: Service;
let own: Record<string, string>;
const tokens = new Map<string, string | null>();

beforeAll(async () => {
  service = await startService();
  const { bench } = service;
  const team = await bench.team("ours");
  const other = await bench.team("theirs");
  own = { ...team };
  const make = async (scope: "read" | "trigger" | "admin", project_id: string | null) =>
    (await bench.local.tokens.create({ name: `${scope} of ${project_id}`, scope, project_id })).token;
  const revoked = await bench.local.tokens.create({ name: "revoked", scope: "admin" });
  await bench.local.tokens.revoke(revoked.id);
  const soon = new Date(Date.now() + 400).toISOString();
  const expired = await bench.local.tokens.create({ name: "expired", scope: "admin", expires_at: soon });
  tokens.set("none", null);
  tokens.set("malformed", "shp_short");
  tokens.set("unknown", `shp_${"A".repeat(43)}`);
  tokens.set("revoked", revoked.token);
  tokens.set("expired", expired.token);
  tokens.set("other project", await make("admin", other.project));
  tokens.set("read", await make("read", team.project));
  tokens.set("trigger", await make("trigger", team.project));
  tokens.set("admin", await make("admin", team.project));
  tokens.set("global read", await make("read", null));
  tokens.set("global admin", await make("admin", null));
  tokens.set("own execution", team.attemptToken);
  tokens.set("other execution", other.attemptToken);
  tokens.set("forged execution", `${team.attemptToken.slice(0, -4)}AAAA`);
  tokens.set("other attempt", team.attemptToken.replace("_1_", "_2_"));
  await eventually(async () => (await askAs("expired", list)).status === 401);
});
afterAll(() => service[Symbol.asyncDispose]());

const list = routeNamed("listProjects");
const ofExecutions = routes.filter(({ scope }) => scope === "execution");
const guarded = routes.filter(({ scope }) => scope !== null && scope !== "execution");
const order = ["read", "trigger", "admin"];
/** What concerns all projects, or makes one. */
const global = new Set(["createProject", "deleteProject", "metrics", "rotateSecrets"]);

const bodies: Readonly<Record<string, () => unknown>> = {
  createProject: () => ({ name: `p-${Math.random()}` }),
  updateProject: () => ({ description: "ours" }),
  createRepository: () => ({ project_id: own.project, clone_url: `https://git.example/${Math.random()}` }),
  updateRepository: () => ({ default_branch: "main" }),
  createPipeline: () => ({ repository_id: own.repository, name: `p-${Math.random()}` }),
  updatePipeline: () => ({ trigger_type: "manual" }),
  createToken: () => ({ name: "made", scope: "read", project_id: own.project }),
  resolveDeployment: () => ({ outcome: "failed" }),
  putSecret: () => ({ value: "a value" }),
  rotateSecrets: () => ({}),
  putRegistryLogin: () => ({ username: "team", secret: "KEY" }),
};

function routeNamed(name: string): Route {
  const found = routes.find(({ operationId }) => operationId === name);
  if (found === undefined) throw new Error(`no route ${name}`);
  return found;
}

/** The team's own things, by what the path is about. */
function pathOf({ path, scope }: Route): string {
  const kind = path.split("/")[2] ?? "";
  const names: Record<string, string | undefined> = {
    projects: own.project,
    repositories: own.repository,
    pipelines: own.pipeline,
    "pipeline-runs": own.run,
    "job-steps": own.step,
    executions: scope === "execution" ? own.attempt : own.execution,
    artifacts: own.artifact,
    deployments: own.deployment,
    tokens: own.token,
  };
  return path
    .replace("{name}", "KEY")
    .replace("{host}", "registry.test")
    .replace(/\{\w+\}/, names[kind] ?? "nothing");
}

async function askAs(who: string, route: Route): Promise<Answer> {
  const body = bodies[route.operationId]?.();
  return await service.ask(route.method, pathOf(route), {
    token: tokens.get(who) ?? null,
    ...(body === undefined ? {} : { body }),
  });
}

describe("every route of an execution", () => {
  const invalid = ["none", "malformed", "unknown", "revoked", "expired", "forged execution", "other attempt"];

  it("is there", () => expect(ofExecutions.length).toBe(8));

  it.each(ofExecutions)("$method $path takes the token of its execution alone", async (route) => {
    for (const who of invalid) {
      const answer = await askAs(who, route);
      expect([who, answer.status, answer.json.code]).toEqual([who, 401, "unauthorized"]);
      expect(route.fault(answer)).toBeNull();
    }
    for (const who of ["read", "trigger", "admin", "global read", "global admin", "other project"]) {
      const answer = await askAs(who, route);
      expect([who, answer.status, answer.json.code]).toEqual([who, 403, "forbidden"]);
      expect(route.fault(answer)).toBeNull();
    }
    const answer = await askAs("other execution", route);
    expect([answer.status, route.fault(answer)]).toEqual([404, null]);
  });

  it.each(guarded)("$method $path does not take an execution's token", async (route) => {
    const answer = await askAs("own execution", route);
    expect([answer.status, route.fault(answer)]).toEqual([401, null]);
  });
});

describe("every route", () => {
  it("is in the document with the scope that it needs, or is open", () => {
    const open = routes.filter(({ scope }) => scope === null).map(({ path }) => path);
    expect(open.toSorted()).toEqual(["/healthz", "/openapi.json", "/readyz", "/v1/version"]);
    expect(guarded.length).toBeGreaterThan(25);
  });

  it.each(routes.filter(({ scope }) => scope === null))("$method $path answers anybody", async (route) => {
    const answer = await askAs("none", route);
    expect([answer.status, route.fault(answer)]).toEqual([200, null]);
  });

  it.each(guarded)("$method $path knows nobody without a valid token", async (route) => {
    for (const who of ["none", "malformed", "unknown", "revoked", "expired"]) {
      const answer = await askAs(who, route);
      expect([who, answer.status, answer.json.code]).toEqual([who, 401, "unauthorized"]);
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
      expect(route.fault(answer)).toBeNull();
    }
  });

  it.each(guarded)("$method $path refuses a scope that is too small", async (route) => {
    for (const who of ["read", "trigger", "global read"]) {
      const held = who.replace("global ", "");
      if (order.indexOf(held) >= order.indexOf(route.scope ?? "read")) continue;
      const answer = await askAs(who, route);
      expect([who, answer.status, answer.json.code]).toEqual([who, 403, "forbidden"]);
      expect(route.fault(answer)).toBeNull();
    }
  });

  it.each(guarded.filter(({ path }) => path.includes("{")))(
    "$method $path shows nothing of another project",
    async (route) => {
      const answer = await askAs("other project", route);
      const expected = global.has(route.operationId) ? 403 : 404;
      expect([answer.status, route.fault(answer)]).toEqual([expected, null]);
    },
  );

  // Removals last: they take away what the others ask for.
  it.each(guarded.toSorted((a, b) => Number(a.method === "DELETE") - Number(b.method === "DELETE")))(
    "$method $path serves who may, within its document",
    async (route) => {
      const who = global.has(route.operationId) ? "global admin" : (route.scope ?? "read");
      const answer = await askAs(who, route);
      // What has run is history and stays: its removal is refused, which is an answer, too.
      const inUse = route.method === "DELETE" && answer.status === 409;
      // The bench's artifacts have rows and no bytes, its runs are not carried, its repositories have no host.
      const bare = ["checkRepository", "downloadArtifact", "retryRun", "cancelRun", "triggerRun"].includes(
        route.operationId,
      );
      if (!inUse && !bare)
        expect([answer.status, answer.json?.detail]).toEqual([expect.any(Number), undefined]);
      expect([401, 403]).not.toContain(answer.status);
      expect(route.fault(answer)).toBeNull();
    },
  );
});
