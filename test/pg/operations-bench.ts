/** All operations over a real store, with callers of every kind; runs are there, but nobody carries them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ArtifactStore, createArtifactStore } from "../../src/artifacts/index.ts";
import type { ExecutionSpec, Scope } from "../../src/domain/index.ts";
import { buildinator } from "../../src/domain/index.ts";
import { createFakeExecutor, createFakeWorld } from "../../src/executor/index.ts";
import {
  brandId,
  type ExecutionId,
  type PipelineId,
  Problem,
  type RunId,
  silentLogger,
  systemClock,
} from "../../src/kernel/index.ts";
import { createLogStore, type LogStore } from "../../src/logs/index.ts";
import { createOrchestrator } from "../../src/orchestrator/index.ts";
import {
  type Caller,
  type Client,
  createAuthenticator,
  createExecutionTokens,
  createSecretKeys,
  createServices,
  localCaller,
  type ServiceDeps,
  type Services,
} from "../../src/services/index.ts";
import { createSource, type UrlPolicy } from "../../src/source/index.ts";
import { createChangeFeed } from "../../src/store/index.ts";
import { jobOf, specOf } from "../unit/executor/specs.ts";
import { advance, createFixture, type Fixture, stepPlan } from "./fixture.ts";

export interface ServiceBench extends AsyncDisposable {
  readonly fixture: Fixture;
  /** What the server's start has not done yet. */
  readonly start: { missing: string | null };
  readonly operations: Services;
  /** At the terminal of the server's machine. */
  readonly local: Client;
  readonly artifacts: ArtifactStore;
  readonly logs: LogStore;
  /** A token that was made for it, as it comes in with a request. */
  caller(scope: Scope, project: string | null): Promise<Caller>;
  /** A project with a repository, a pipeline, and a run that deployed and made an artifact. */
  team(name: string): Promise<Team>;
  /** An execution of that run, handed out. */
  handOut(run: string, more?: Partial<ExecutionSpec>): Promise<HandedOut>;
}

export interface HandedOut {
  readonly id: ExecutionId;
  readonly token: string;
}

export interface Team {
  readonly project: string;
  readonly repository: string;
  readonly pipeline: string;
  readonly run: string;
  readonly step: string;
  readonly execution: string;
  readonly artifact: string;
  readonly deployment: string;
  readonly token: string;
  /** An execution that is handed out and not claimed, and its token. */
  readonly attempt: string;
  readonly attemptToken: string;
}

export async function createServiceBench(
  localPaths: "allowed" | "refused" = "refused",
  urlPolicy: UrlPolicy = { allowLocal: false, allowHttp: false },
): Promise<ServiceBench> {
  const fixture = await createFixture();
  const { store, owner } = fixture;
  const directory = mkdtempSync(join(tmpdir(), "shipinator-operations-"));
  const parts = { clock: systemClock, log: silentLogger };
  const executor = createFakeExecutor({ world: createFakeWorld(), clock: systemClock });
  const inators = new Map([[buildinator.jobType, buildinator]]);
  const artifacts = createArtifactStore({
    ...parts,
    base: join(directory, "artifacts"),
    nodeId: owner.instance,
    instance: "1",
    minFreeBytes: 0,
  });
  const orchestrator = createOrchestrator({
    ...parts,
    store,
    executor,
    artifacts,
    registry: { digest: () => Promise.reject(new Error("there is no registry here")) },
    inators,
    owner,
    slots: 0,
    parallelLimit: 1,
    resolver: {
      resolve: () => Promise.reject(new Problem("source_unavailable", "nothing is resolved here")),
    },
  });
  const changes = createChangeFeed({ ...parts, settings: fixture.database.settings });
  const source = createSource({
    ...parts,
    directory: join(directory, "mirrors"),
    environment: {},
    config: "person",
    urls: urlPolicy,
  });
  const database = async () => ({
    store,
    orchestrator,
    changes,
    artifacts,
    owner,
    connection: fixture.database.settings,
    announceRestart: () => {},
  });
  const executionTokens = createExecutionTokens(directory, null);
  const logs = createLogStore({ ...parts, base: join(directory, "logs"), capBytes: 1024 });
  const start: ServiceBench["start"] = { missing: null };
  const deps: ServiceDeps = {
    ...parts,
    database,
    mode: "run",
    source,
    logs,
    executor,
    capabilitiesOf: (type) => ({
      containers: type !== "local",
      survivesServer: true,
      needsServer: false,
      reportsLogs: type === "remote",
    }),
    inators,
    unavailableReason: async () => null,
    graceSeconds: 10,
    urlPolicy,
    localPaths,
    dataDirectory: directory,
    isAlive: () => true,
    secretKeys: createSecretKeys(directory, null),
    executionTokens,
    logCapBytes: 1024,
    artifactMaxBytes: 1_000_000,
    retentionDays: null,
    authenticator: createAuthenticator({ ...parts, tokens: async () => store.tokens }),
  };
  const operations = createServices(deps, () => start.missing);
  const local = operations.as(localCaller("ada"));

  async function handOut(run: string, more: Partial<ExecutionSpec> = {}): Promise<HandedOut> {
    const job = jobOf({ runId: brandId<RunId>(run), source: null });
    const spec = specOf(job, "make", more);
    await store.reports.submit(spec);
    return { id: spec.executionId, token: executionTokens.of(spec) };
  }

  return {
    fixture,
    start,
    operations,
    local,
    handOut,
    artifacts,
    logs,
    async caller(scope, project) {
      const name = `${scope} of ${project ?? "all"}`;
      const { token } = await local.tokens.create({ name, scope, project_id: project });
      return await operations.authenticate(token, "request-1");
    },
    async team(name) {
      const { id: project } = await local.projects.create({ name });
      const clone_url = `https://127.0.0.1:1/${name}.git`;
      const { id: repository } = await local.repositories.create({ project_id: project, clone_url });
      const { id: pipeline } = await local.pipelines.create({ repository_id: repository, name });
      const { id: token } = await local.tokens.create({ name, scope: "read", project_id: project });
      await local.secrets.put(project, "KEY", `the key of ${name}`);
      await local.registries.put(project, "registry.test", { username: name, secret: "KEY" });
      const deploy = { target: "local", namespace: name, release: name, kind: "helm" } as const;
      const run = await store.runs.accept(
        { ...fixture.newRun, config: null, pipelineId: pipeline as PipelineId },
        () => [
          { type: "build", steps: [stepPlan("build")] },
          { type: "deploy", steps: [stepPlan("deploy", { source: "none", deploy })] },
        ],
      );
      const ends = { build: "succeeded", deploy: "lost" } as const;
      while (await advance(fixture, run.id, { ends, artifacts: { build: ["app"] } }));
      const { id: attempt, token: attemptToken } = await handOut(run.id, { outputs: [app] });
      return {
        project,
        repository,
        pipeline,
        run: run.id,
        token,
        attempt,
        attemptToken,
        ...(await partsOf(fixture, run.id)),
      };
    },
    async [Symbol.asyncDispose]() {
      await orchestrator.stop();
      await source[Symbol.asyncDispose]();
      await changes[Symbol.asyncDispose]();
      await fixture[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const app = { name: "app", type: "binary", path: "bin/app", ref: null, required: true } as const;

async function partsOf({ store }: Fixture, run: RunId) {
  const [step] = await store.steps.ofRun(run);
  const [execution] = await store.executions.ofRun(run);
  const [artifact] = await store.artifacts.ofRun(run);
  const [deployment] = await store.deployments.ofRun(run);
  if (!step || !execution || !artifact || !deployment) throw new Error("the run made less than it should");
  return { step: step.id, execution: execution.id, artifact: artifact.id, deployment: deployment.id };
}
