/** The rows of a run beside what the model says of it. */
import type { RunId } from "../../../src/kernel/index.ts";
import type { Bench } from "../orchestrator/bench.ts";
import { type GatedWorld, keyOf } from "./gated-world.ts";
import {
  type Expected,
  expected,
  type Fact,
  type Happened,
  type Resolution,
  type StageGiven,
} from "./model.ts";

export interface AtCancel {
  readonly moment: number;
  readonly executions: ReadonlySet<string>;
  /** Null where steps were on their way to their begin just then. */
  readonly begins: number | null;
}

interface Subject {
  readonly runId: RunId;
  readonly stages: readonly StageGiven[];
  readonly truth: GatedWorld;
  /** What there was when the run was to be canceled. */
  readonly cancel: AtCancel | null;
  readonly resolution: Resolution;
}

export async function differences(bench: Bench, subject: Subject): Promise<string[]> {
  const { store, world } = bench;
  const { runId, stages, truth, cancel, resolution } = subject;
  const [run, jobs, steps, executions] = await Promise.all([
    store.runs.get(runId),
    store.jobs.ofRun(runId),
    store.steps.ofRun(runId),
    store.executions.ofRun(runId),
  ]);
  if (run === null) return ["the run is gone"];
  const found: string[] = [];
  const stageOf = new Map(jobs.map((job) => [job.id, `${job.job_type}.${job.attempt}`]));
  const stepKeys = new Map(steps.map((step) => [step.id, `${stageOf.get(step.job_id)}/${step.name}`]));

  const attempts = new Map<string, (Fact | null)[]>();
  for (const one of executions.toSorted((a, b) => a.attempt - b.attempt)) {
    const key = stepKeys.get(one.job_step_id) ?? "?";
    const live = one.status === "pending" || one.status === "running";
    const known = factFor(key, truth.factOf(keyOf({ stepId: one.job_step_id, attempt: one.attempt })));
    // What waited for a slot when the run was to be canceled never met the executor.
    const never = { end: "canceled", reason: "canceled", began: false, moment: cancel?.moment ?? 0 } as const;
    const fact = known ?? (cancel !== null && !live ? never : null);
    attempts.set(key, [...(attempts.get(key) ?? []), fact]);
    const is = live ? "live" : `${one.status} ${one.failure_reason}`;
    const must = fact === null ? "live" : `${fact.end} ${fact.reason}`;
    if (is !== must) found.push(`attempt ${one.attempt} of ${key} is ${is}, in truth ${must}`);
    if (cancel !== null && !cancel.executions.has(one.id))
      found.push(`attempt ${one.attempt} of ${key} was made after the request to cancel`);
  }
  if (cancel !== null && cancel.begins !== null && world.begins.size !== cancel.begins)
    found.push("a step began after the request to cancel");

  const happened: Happened = {
    resolution,
    attempts: (stage, job, step) => attempts.get(`${stage}.${job}/${step}`) ?? [],
    cancel: cancel?.moment ?? null,
    named(stage, attempt) {
      const job = jobs.find((row) => row.job_type === stage && row.attempt === attempt);
      return /^step ([^:]+)/.exec(job?.failure_message ?? "")?.[1] ?? null;
    },
  };
  const actual: Expected = {
    run: { status: run.status, phase: run.phase, reason: run.failure_reason },
    jobs: Object.fromEntries(
      jobs.map((job) => [
        `${job.job_type}.${job.attempt}`,
        job.status === "failed" ? `failed ${job.failure_reason}` : job.status,
      ]),
    ),
    steps: Object.fromEntries(steps.map((step) => [stepKeys.get(step.id) ?? "?", step.status])),
  };
  const must = expected(stages, happened);
  for (const part of ["run", "jobs", "steps"] as const)
    found.push(...compare(part, actual[part], must[part]));

  const isFinal = run.finished_at !== null;
  const lives = executions.some((one) => one.status === "pending" || one.status === "running");
  if (isFinal && lives) found.push("the run is over and an execution lives");
  if (!isFinal && !lives && resolution === "resolved") found.push("the run is not over and nothing lives");
  found.push(...(await deploymentFaults(bench, runId, attempts)));
  return found;
}

/** Of a deploy that was lost after its begin nothing is known. */
function factFor(key: string, fact: Fact | undefined): Fact | undefined {
  return fact?.end === "lost" && fact.began && key.startsWith("deploy")
    ? { ...fact, reason: "deploy_unknown" }
    : fact;
}

async function deploymentFaults(
  { store }: Bench,
  runId: RunId,
  attempts: ReadonlyMap<string, readonly (Fact | null)[]>,
): Promise<string[]> {
  const deploys = [...attempts].flatMap(([key, facts]) => (key.startsWith("deploy") ? facts : []));
  const must = deploys.map((fact) => {
    if (fact === null) return "active";
    return fact.end === "lost" ? (fact.began ? "unknown" : "failed") : fact.end;
  });
  const is = (await store.deployments.ofRun(runId)).map((row) => row.outcome);
  return `${is}` === `${must}` ? [] : [`deployments are ${is}, in truth ${must}`];
}

function compare(
  part: string,
  actual: Readonly<Record<string, unknown>>,
  must: Readonly<Record<string, unknown>>,
): string[] {
  const keys = new Set([...Object.keys(actual), ...Object.keys(must)]);
  return [...keys]
    .filter((key) => actual[key] !== must[key])
    .map((key) => `${part} ${key} is ${actual[key]}, must be ${must[key]}`);
}
