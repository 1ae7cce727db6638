/** Every operation, asked by every kind of caller, answers as the table of needs says. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Scope, scopes } from "../../src/domain/index.ts";
import { newId, Problem } from "../../src/kernel/index.ts";
import { type Caller, type Client, type Operation, operationNeeds } from "../../src/services/index.ts";
import { createServiceBench, type ServiceBench, type Team } from "./operations-bench.ts";

const signal = new AbortController().signal;
let count = 0;
const fresh = () => `fresh-${++count}`;

async function drain(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** `thing`: about something of the team, by id; `list`: what is seen; `new`: about nothing that is there. */
interface Use {
  readonly about: "thing" | "list" | "new";
  readonly ask: (client: Client, team: Team) => Promise<unknown>;
}

const thing = (ask: Use["ask"]): Use => ({ about: "thing", ask });
const list = (ask: Use["ask"]): Use => ({ about: "list", ask });

const login = { username: "team", secret: "KEY" };

/** Metrics are no operation of a client: the routes' matrix has them. */
const uses: Readonly<Record<Exclude<Operation, "metrics.read">, readonly Use[]>> = {
  "projects.create": [{ about: "new", ask: (client) => client.projects.create({ name: fresh() }) }],
  "projects.get": [thing((client, { project }) => client.projects.get(project))],
  "projects.list": [list((client) => client.projects.list({ limit: 1000 }))],
  "projects.update": [
    thing((client, { project }) => client.projects.update(project, { description: "new" })),
  ],
  "projects.remove": [thing((client, { project }) => client.projects.remove(project))],
  "repositories.create": [
    thing((client, { project }) =>
      client.repositories.create({ project_id: project, clone_url: `https://git.example/${fresh()}` }),
    ),
  ],
  "repositories.get": [thing((client, { repository }) => client.repositories.get(repository))],
  "repositories.list": [list((client) => client.repositories.list({ limit: 1000 }))],
  "repositories.update": [
    thing((client, { repository }) => client.repositories.update(repository, { default_branch: "main" })),
  ],
  "repositories.remove": [thing((client, { repository }) => client.repositories.remove(repository))],
  "repositories.check": [thing((client, { repository }) => client.repositories.check(repository, signal))],
  "pipelines.create": [
    thing((client, { repository }) => client.pipelines.create({ repository_id: repository, name: fresh() })),
  ],
  "pipelines.get": [
    thing((client, { pipeline }) => client.pipelines.get(pipeline)),
    thing((client) => client.pipelines.get("mine")),
  ],
  "pipelines.list": [list((client) => client.pipelines.list({ limit: 1000 }))],
  "pipelines.update": [
    thing((client, { pipeline }) => client.pipelines.update(pipeline, { trigger_type: "push" })),
  ],
  "pipelines.remove": [thing((client, { pipeline }) => client.pipelines.remove(pipeline))],
  "runs.trigger": [
    thing((client, { pipeline }) =>
      client.trigger(
        {
          source: { kind: "pipeline", pipeline, ref: null, sha: null, validate: "later" },
          only: null,
          by: "x",
        },
        signal,
      ),
    ),
  ],
  "runs.list": [list((client) => client.list({ limit: 1000 }))],
  "runs.get": [
    thing((client, { run }) => client.get(run)),
    thing((client, { run }) => client.get(run.slice(0, 35))),
    thing((client, { run }) => client.head(run)),
  ],
  "runs.events": [
    thing((client, { run }) => drain(client.events(run, 0, signal))),
    thing((client, { run }) => drain(client.eventPieces(run, 0, signal))),
  ],
  "runs.why": [thing((client, { run }) => client.why(run))],
  "runs.cancel": [
    thing((client, { run }) => client.cancel(run, "x")),
    thing((client, { run }) => client.force(run)),
  ],
  "runs.retry": [thing((client, { run }) => client.retry({ run, by: "x" }))],
  "logs.read": [
    thing((client, { execution }) =>
      drain(client.log({ executionId: execution, offset: 0, follow: false }, signal)),
    ),
    thing((client, { execution }) => client.logInfo(execution)),
    thing((client, { execution }) => client.logTail(execution, 1)),
    thing((client, { execution }) => client.logTimes(execution)),
    thing((client, { step }) => client.executionOf(step)),
  ],
  "artifacts.get": [
    thing((client, { artifact }) => client.artifact(artifact)),
    thing((client, { run }) => client.artifact(`${run}/app`)),
  ],
  "artifacts.download": [thing((client, { artifact }) => drain(client.download(artifact, signal)))],
  "deployments.list": [list((client) => client.deployments({ limit: 1000 }))],
  "deployments.resolve": [
    thing((client, { deployment }) => client.resolveDeployment(deployment, "failed", "x")),
  ],
  "tokens.create": [
    thing((client, { project }) => client.tokens.create({ name: "t", scope: "read", project_id: project })),
  ],
  "tokens.list": [list((client) => client.tokens.list({ limit: 1000 }))],
  "tokens.revoke": [thing((client, { token }) => client.tokens.revoke(token))],
  "secrets.put": [thing((client, { project }) => client.secrets.put(project, "KEY", "a value"))],
  "secrets.list": [thing((client, { project }) => client.secrets.list(project))],
  "secrets.remove": [
    thing(async (client, { project }) => {
      await client.secrets.put(project, "SHORT_LIVED", "a value");
      await client.secrets.remove(project, "SHORT_LIVED");
    }),
  ],
  "secrets.rotate": [{ about: "new", ask: (client) => client.secrets.rotate() }],
  "registries.put": [thing((client, { project }) => client.registries.put(project, "registry.test", login))],
  "registries.list": [thing((client, { project }) => client.registries.list(project))],
  "registries.remove": [
    thing(async (client, { project }) => {
      await client.registries.put(project, "short.test", login);
      await client.registries.remove(project, "short.test");
    }),
  ],
  "caller.get": [{ about: "new", ask: (client) => client.whoami() }],
  "audit.list": [list((client) => client.audit({ limit: 1000 }))],
  "local.run": [{ about: "new", ask: (client) => client.abandoned() }],
};

let bench: ServiceBench;
let mine: Team;
let other: Team;
beforeAll(async () => {
  bench = await createServiceBench();
  mine = await bench.team("mine");
  other = await bench.team("other");
  // A run that nobody carries keeps the pipeline from being removed, so that all callers find the same things.
  const source = {
    kind: "pipeline",
    pipeline: mine.pipeline,
    ref: null,
    sha: null,
    validate: "later",
  } as const;
  await bench.local.trigger({ source, only: null, by: "x" }, signal);
});
afterAll(() => bench[Symbol.asyncDispose]());

type Bound = "mine" | "other" | "all";
const callers = scopes.flatMap((scope) =>
  (["mine", "other", "all"] as const).map((bound): [Scope, Bound] => [scope, bound]),
);
const matrix = callers.flatMap(([scope, bound]) =>
  Object.entries(uses).flatMap(([operation, ways]) =>
    ways.map((use, way) => ({ scope, bound, operation: operation as Operation, use, way })),
  ),
);

async function callerOf(scope: Scope, bound: Bound): Promise<Caller> {
  return bench.caller(scope, bound === "all" ? null : { mine, other }[bound].project);
}

function expected({ scope, bound, operation, use }: (typeof matrix)[number]): string {
  const needs = operationNeeds[operation];
  if (scopes.indexOf(scope) < scopes.indexOf(needs.scope)) return "forbidden";
  if (needs.reach === "global" && bound !== "all") return "forbidden";
  return use.about === "thing" && bound === "other" ? "not_found" : "allowed";
}

async function outcome(work: Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    return { code: "allowed", text: JSON.stringify(await work) ?? "" };
  } catch (error) {
    const { code, message, remedy } = Problem.from(error);
    // What is wrong beside the right to ask is found after it.
    const about = ["forbidden", "not_found", "unauthorized", "internal"].includes(code) ? code : "allowed";
    return { code: about, text: `${message} ${remedy}` };
  }
}

describe("a token", () => {
  it.each(matrix)("of $scope for $bound asking $operation ($way)", async (cell) => {
    const client = bench.operations.as(await callerOf(cell.scope, cell.bound));
    const { code, text } = await outcome(cell.use.ask(client, mine));
    expect(code, text).toBe(expected(cell));
    // Whoever sees another project learns nothing of this one. (Their audit holds the ids that they asked for.)
    if (cell.bound !== "other" || cell.operation === "audit.list") return;
    const asked = Object.values(mine);
    const told = cell.use.about === "thing" ? [] : asked.filter((id) => text.includes(id));
    expect(told).toEqual([]);
  });

  it.each(matrix.filter((cell) => expected(cell) === "not_found" && cell.scope === "admin"))(
    "is told of another project's $operation ($way) what it is told of nothing",
    async ({ use }) => {
      const client = bench.operations.as(await callerOf("admin", "other"));
      const nothing = {
        ...mine,
        ...Object.fromEntries(Object.keys(mine).map((key) => [key, newId()])),
      };
      const masked = async (team: Team) => {
        const { text } = await outcome(use.ask(client, team));
        return Object.values(team).reduce(
          (said, id) => said.replaceAll(id, "ID").replaceAll(id.slice(0, 35), "ID"),
          text,
        );
      };
      expect(await masked(mine)).toBe(await masked(nothing));
    },
  );
});

describe("an id that is given for something new", () => {
  it.each([
    [
      "repository",
      (client: Client) =>
        client.repositories.create({
          id: mine.repository,
          project_id: other.project,
          clone_url: "https://git.example/stolen",
        }),
    ],
    [
      "pipeline",
      (client: Client) =>
        client.pipelines.create({ id: mine.pipeline, repository_id: other.repository, name: "stolen" }),
    ],
    [
      "token",
      (client: Client) =>
        client.tokens.create({ id: mine.token, name: "stolen", scope: "read", project_id: other.project }),
    ],
    [
      "run",
      (client: Client) =>
        client.trigger(
          {
            id: mine.run,
            source: { kind: "pipeline", pipeline: other.pipeline, ref: null, sha: null, validate: "later" },
            only: null,
            by: "x",
          },
          signal,
        ),
    ],
    ["retried run", (client: Client) => client.retry({ id: mine.run, run: other.run, by: "x" })],
  ])("and is another project's %s gives nothing of it away", async (_what, ask) => {
    const client = bench.operations.as(await callerOf("admin", "other"));
    await expect(ask(client)).rejects.toMatchObject({ code: "conflict" });
  });
});
