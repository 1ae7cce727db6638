/** What the store's tests stand on: a database of their own, a pipeline, a node, and short ways to make and move runs. */
import type { RunSnapshot, StepPlan } from "../../src/domain/index.ts";
import { type ArtifactId, newId, type RunId } from "../../src/kernel/index.ts";
import { createStore, type Database, type NewRun, type Owner, type Store } from "../../src/store/index.ts";
import { planRun } from "../support/plan.ts";
import { createTestDatabase } from "../support/postgres-database.ts";

export interface Fixture extends AsyncDisposable {
  readonly database: Database;
  readonly store: Store;
  readonly owner: Owner;
  readonly newRun: NewRun;
}

/** What a repository says of the commit that a run resolves to, without its jobs. */
export const resolvedCommit = {
  gitRef: "refs/heads/main",
  gitSha: "c".repeat(40),
  tree: "d".repeat(40),
  branch: "main",
  tag: null,
  config: { build: null, test: null, deploy: null, submodules: false },
} as const;

export async function createFixture(): Promise<Fixture> {
  const own = await createTestDatabase();
  const database = own.open();
  const store = createStore(database);
  const project = await store.projects.ensure("project");
  const repository = await store.repositories.ensure({
    projectId: project.id,
    vcsProvider: "git",
    cloneUrl: "/srv/repository",
    defaultBranch: "main",
  });
  const pipeline = await store.pipelines.ensure({
    repositoryId: repository.id,
    name: "pipeline",
    triggerType: "manual",
  });
  const owner = await registerInstance(store);
  const newRun: NewRun = {
    pipelineId: pipeline.id,
    executorType: "fake",
    trigger: { kind: "manual", actor: "ada", delivery: null },
    gitRef: "refs/heads/main",
    gitSha: "a".repeat(40),
    tree: "b".repeat(40),
    subpath: null,
    worktree: "clean",
    branch: "main",
    tag: null,
    requestedStages: null,
    config: { build: null, test: null, deploy: null, submodules: false },
    retriedFrom: null,
    owner,
    cause: "trigger",
  };
  return {
    database,
    store,
    owner,
    newRun,
    async [Symbol.asyncDispose]() {
      await database.close();
      await own.drop();
    },
  };
}

export async function registerInstance(store: Store): Promise<Owner> {
  const node = await store.instances.register({
    dataDirectory: "/var/lib/shipinator",
    host: "host",
    bootId: "boot",
    pidNamespace: "pid:[1]",
    pid: 1,
    pidStartTime: "1",
    leaseSeconds: 30,
  });
  return { instance: node.id, epoch: node.epoch };
}

export function stepPlan(name: string, more: Partial<StepPlan> = {}): StepPlan {
  return {
    name,
    parallelGroup: null,
    image: null,
    command: "true",
    shell: null,
    env: {},
    secrets: [],
    source: "tree",
    inputs: [],
    outputs: [],
    timeoutSeconds: 3600,
    graceSeconds: 10,
    retry: null,
    deploy: null,
    ...more,
  };
}

export const steps = (count: number) =>
  Array.from({ length: count }, (_, index) => stepPlan(`step-${index}`));

/** A run that builds, in so many steps one after another. */
export const accept = (fixture: Fixture, count = 1) =>
  fixture.store.runs.accept(fixture.newRun, () => [{ type: "build", steps: steps(count) }]);

/** The snapshot of a run that exists. */
export async function runSnapshot(store: Store, runId: RunId): Promise<RunSnapshot> {
  const snapshot = await store.runs.snapshot(runId);
  if (snapshot === null) throw new Error(`no run ${runId}`);
  return snapshot;
}

export type End = "succeeded" | "failed" | "canceled" | "lost";

interface AdvanceOptions {
  /** How the named steps' live executions end; others go on. */
  readonly ends?: Readonly<Record<string, End>>;
  readonly artifacts?: Readonly<Record<string, readonly string[]>>;
  /** By name. */
  readonly digestOf?: (artifact: string) => string;
  readonly owner?: Owner;
  readonly began?: "began" | "never";
  readonly parallelLimit?: number;
}

/** Plans once with the real planner and applies the result; false when there was nothing to change. */
export async function advance(
  fixture: Fixture,
  runId: RunId,
  options: AdvanceOptions = {},
): Promise<boolean> {
  const { store } = fixture;
  const owner = options.owner ?? fixture.owner;
  const snapshot = await runSnapshot(store, runId);
  const evidence = { completed: completed(snapshot, options), begun: [] };
  const { changes } = planRun(snapshot, evidence, {
    parallelLimit: options.parallelLimit ?? Number.POSITIVE_INFINITY,
  });
  if (changes === null) return false;
  const applied = await store.runs.apply(runId, owner, snapshot.run.seq, changes, {
    cause: "test",
    claim: changes.newExecutions.map(({ id }) => id),
  });
  if (applied === null) throw new Error("the run has moved on");
  return true;
}

/** Ends every execution that starts, and advances until nothing more changes. */
export async function finish(fixture: Fixture, runId: RunId, end: End = "succeeded"): Promise<void> {
  for (;;) {
    const snapshot = await runSnapshot(fixture.store, runId);
    const ends = Object.fromEntries(snapshot.steps.map((step) => [step.name, end]));
    if (!(await advance(fixture, runId, { ends }))) return;
  }
}

export function completed(
  snapshot: RunSnapshot,
  { ends = {}, artifacts = {}, digestOf, began = "began" }: AdvanceOptions,
) {
  return snapshot.executions.flatMap((execution) => {
    const step = snapshot.steps.find(({ id }) => id === execution.stepId);
    const end = step === undefined ? undefined : ends[step.name];
    if (step === undefined || end === undefined) return [];
    const reason = end === "canceled" ? "canceled" : end === "lost" ? "executor_lost" : "script_failed";
    return [
      {
        executionId: execution.id,
        result:
          end === "succeeded"
            ? ({ state: "succeeded" } as const)
            : ({ state: end, reason, message: `${step.name} ended` } as const),
        outcome: {
          began: began === "began",
          begunAt: began === "began" ? new Date() : null,
          endedAt: new Date(),
          exitCode: end === "succeeded" ? 0 : end === "failed" ? 1 : null,
          reason: end === "succeeded" ? null : reason,
          message: null,
          workspaceWhole: began === "never",
          logBytes: 12,
          logDropped: 0,
          killedBy: null,
        },
        artifacts: (artifacts[step.name] ?? []).map((name) => artifact(name, digestOf?.(name))),
      } as const,
    ];
  });
}

export function artifact(name: string, sha256 = "c".repeat(64)) {
  const artifactId = newId<ArtifactId>();
  return {
    name,
    type: name === "coverage" ? "coverage" : "binary",
    found: true,
    artifactId,
    sha256,
    size: 3,
    storagePath: `/artifacts/${artifactId}`,
    metadata: { form: "file", path: `bin/${name}` },
  } as const;
}

const undo = new Error("undo");

/** Runs statements in a transaction that is always rolled back; gives null, or the error that Postgres answered. */
export async function tryOut(database: Database, ...statements: [string, unknown[]?][]): Promise<unknown> {
  try {
    await database.transaction(async (transaction) => {
      for (const [text, values] of statements) await transaction.execute(text, values ?? []);
      throw undo;
    });
  } catch (error) {
    return error === undo ? null : error;
  }
  return null;
}
