/** Orchestrators over a real store and the fake executor's world; several on one world play restarts and zombies. */

import type { JobType, RunSnapshot, StepPlan } from "../../../src/domain/index.ts";
import { buildinator, deployinator, testinator } from "../../../src/domain/index.ts";
import {
  createFakeExecutor,
  createFakeWorld,
  type Executor,
  type FakeExecutor,
  type FakeExecutorOptions,
  type FakeWorld,
} from "../../../src/executor/index.ts";
import { Problem, type RunId, silentLogger } from "../../../src/kernel/index.ts";
import {
  createOrchestrator,
  type Orchestrator,
  type OrchestratorDeps,
} from "../../../src/orchestrator/index.ts";
import { createStore, type Database, type Owner, type Store } from "../../../src/store/index.ts";
import { createFixture, type Fixture, registerInstance, runSnapshot } from "../fixture.ts";
import { createSteeredClock, type SteeredClock } from "./clock.ts";
import { createGate, type Gate } from "./gate.ts";

/** One process: its node, its view of the world, and the gate through which it acts. */
export interface Process {
  readonly owner: Owner;
  readonly orchestrator: Orchestrator;
  readonly executor: FakeExecutor;
  readonly gate: Gate;
  /** Tracks the run as owned and reconciles it. */
  own(runId: RunId): Promise<void>;
  stop(): Promise<void>;
}

export interface ProcessOptions extends Omit<FakeExecutorOptions, "world" | "clock"> {
  readonly slots?: number;
  readonly parallelLimit?: number;
  readonly database?: Database;
  /** Stands before the fake executor. */
  readonly around?: (executor: FakeExecutor) => Executor;
  readonly deps?: Partial<Pick<OrchestratorDeps, "artifacts" | "registry" | "resolver">>;
  /** Does not resync or claim. */
  readonly idle?: true;
}

export type Stages = Partial<Record<JobType, readonly StepPlan[]>>;

export interface Bench extends AsyncDisposable {
  readonly fixture: Fixture;
  readonly store: Store;
  readonly clock: SteeredClock;
  readonly world: FakeWorld;
  process(options?: ProcessOptions): Promise<Process>;
  /** Accepts a run that the process owns; no process tracks it yet. */
  accept(process: Process, stages: Stages): Promise<RunId>;
  /** Accepts and owns, and waits until the process is quiet. */
  begin(process: Process, stages: Stages): Promise<RunId>;
  /** All processes resync and claim; resolves when all that are not frozen are quiet. */
  resync(): Promise<void>;
  quiet(): Promise<void>;
  /** Gives the run to another process, which goes on with it. */
  takeOwnership(runId: RunId, from: Process, to: Process): Promise<void>;
  view(runId: RunId): Promise<View>;
  snapshot(runId: RunId): Promise<RunSnapshot>;
}

/** The run as its rows tell, by names. */
export interface View {
  readonly status: string;
  readonly phase: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly seq: number;
  /** `build.1`: job type and attempt. */
  readonly jobs: Readonly<Record<string, string>>;
  /** By name, of the newest attempt of its job. */
  readonly steps: Readonly<Record<string, string>>;
  /** By step name, of the newest attempt of its job, in order. */
  readonly executions: Readonly<Record<string, readonly string[]>>;
}

/** On a database of its own, or on one that is given. */
export async function createBench(given?: Fixture): Promise<Bench> {
  const fixture = given ?? (await createFixture());
  const clock = createSteeredClock();
  const world = createFakeWorld();
  const { store } = fixture;
  const processes: Process[] = [];

  const bench: Bench = {
    fixture,
    store,
    clock,
    world,
    async process(options = {}) {
      const { slots = 4, database, around = (it) => it, deps = {}, idle, ...script } = options;
      const { parallelLimit = Number.POSITIVE_INFINITY } = options;
      const owner = await registerInstance(store);
      const gate = createGate();
      const executor = createFakeExecutor({ ...script, world, clock });
      const own = database === undefined ? store : createStore(database);
      const orchestrator = createOrchestrator({
        store: gatedStore(gate, own),
        executor: gate.through(around(executor), "executor", ["cancel"]),
        artifacts: gate.through(deps.artifacts ?? { put: refuse, putFiles: refuse }, "artifacts"),
        registry: gate.through(deps.registry ?? { digest: refuse }, "registry"),
        // A repository may never answer.
        resolver: gate.through(deps.resolver ?? { resolve: refuse }, "resolver", ["resolve"]),
        inators: new Map([buildinator, testinator, deployinator].map((it) => [it.jobType, it])),
        owner,
        slots,
        parallelLimit,
        clock,
        log: silentLogger,
      });
      if (idle === undefined) orchestrator.start();
      let stopped: Promise<void> | undefined;
      const process: Process = {
        owner,
        orchestrator,
        executor,
        gate,
        own(id) {
          orchestrator.own([{ id }]);
          return orchestrator.enqueue(id);
        },
        stop: () => (stopped ??= orchestrator.stop()),
      };
      processes.push(process);
      return process;
    },
    async accept(process, stages) {
      const jobs = Object.entries(stages).map(([type, steps]) => ({ type: type as JobType, steps }));
      const run = await store.runs.accept({ ...fixture.newRun, owner: process.owner }, () => jobs);
      return run.id;
    },
    async begin(process, stages) {
      const runId = await bench.accept(process, stages);
      await process.own(runId);
      await bench.quiet();
      return runId;
    },
    async resync() {
      clock.advance(15_000);
      await bench.quiet();
    },
    async quiet() {
      for (const { gate } of processes) await gate.quiet();
    },
    async takeOwnership(runId, from, to) {
      if (!(await store.runs.takeOwnership(runId, from.owner, to.owner)))
        throw new Error("The ownership was not taken.");
      await store.instances.end(from.owner);
      await to.own(runId);
      await bench.quiet();
    },
    view: (runId) => readView(store, runId),
    snapshot: (runId) => runSnapshot(store, runId),
    async [Symbol.asyncDispose]() {
      for (const { gate } of processes) gate.thaw();
      // A step that heeds no cancel would hold its process's end.
      for (const it of world.executions.values()) it.ended.resolve();
      for (const process of processes) await process.stop();
      if (given === undefined) await fixture[Symbol.asyncDispose]();
    },
  };
  return bench;
}

/** The names of the steps that began, in order. */
export function begunNames({ events }: FakeWorld): (string | null)[] {
  return events.filter(({ what }) => what === "begin").map(({ step }) => step);
}

export const away = () => new Problem("database_unavailable", "the database is away");

function gatedStore(gate: Gate, store: Store): Store {
  return { ...store, ...mapGated(gate, store) };
}

function mapGated(gate: Gate, { runs, jobs, steps, executions }: Store) {
  return {
    runs: gate.through(runs, "runs"),
    jobs: gate.through(jobs, "jobs"),
    steps: gate.through(steps, "steps"),
    executions: gate.through(executions, "executions"),
  };
}

const refuse = () => Promise.reject(new Error("this test stores nothing"));

async function readView(store: Store, runId: RunId): Promise<View> {
  const [run, jobs, steps, executions] = await Promise.all([
    store.runs.get(runId),
    store.jobs.ofRun(runId),
    store.steps.ofRun(runId),
    store.executions.ofRun(runId),
  ]);
  if (run === null) throw new Error(`no run ${runId}`);
  const newest = new Map(jobs.map((job) => [job.job_type, job.id]));
  const shown = steps.filter((step) => [...newest.values()].includes(step.job_id));
  return {
    status: run.status,
    phase: run.phase,
    reason: run.failure_reason,
    message: run.failure_message,
    seq: run.seq,
    jobs: Object.fromEntries(jobs.map((job) => [`${job.job_type}.${job.attempt}`, job.status])),
    steps: Object.fromEntries(shown.map((step) => [step.name, step.status])),
    executions: Object.fromEntries(
      shown.map((step) => [
        step.name,
        executions.filter((one) => one.job_step_id === step.id).map((one) => one.status),
      ]),
    ),
  };
}
