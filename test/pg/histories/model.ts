/**
 * What must have become of a run, from the pipeline, what really happened to its attempts, and whether it was to be
 * canceled. Written from the words of the design and not from the planner: it knows no run snapshot, no order of reports
 * and no restarts, and walks the whole run from its first step each time.
 *
 * - A job's steps run in order, the members of a group together. Stages run in order.
 * - An attempt at which no user command began, in a whole workspace, is repeated up to three times, a deploy never.
 * - After a failure the rest of the group finishes; later steps are skipped, the job fails with its first failure's
 *   reason, and is repeated while that step's policy names the reason; else the run fails and later jobs are skipped.
 * - A run that was accepted unresolved has no jobs before its repository has given what it asks for; it fails with what
 *   will not change, and at its deadline, and is canceled at once.
 * - After a request to cancel nothing starts. What did not run is canceled; a success that was proven stands.
 */
export type StageName = "build" | "test" | "deploy";

export interface StepGiven {
  readonly name: string;
  readonly group: string | null;
  readonly retry: { readonly max: number; readonly on: readonly string[] } | null;
}

export interface StageGiven {
  readonly name: StageName;
  readonly steps: readonly StepGiven[];
}

/** How an attempt really ended; `moment` grows with time, and what happened between two reconciles has the same. */
export interface Fact {
  readonly end: "succeeded" | "failed" | "canceled" | "lost";
  readonly reason: string | null;
  readonly began: boolean;
  readonly moment: number;
}

/** What has become of what the run asks for: it is known, looked for, or given up for this reason. */
export type Resolution = "resolved" | "pending" | "config_invalid" | "source_unavailable" | "canceled";

export interface Happened {
  readonly resolution: Resolution;
  /** The attempts at a step, in order; null for one that lives. */
  attempts(stage: StageName, job: number, step: string): readonly (Fact | null)[];
  /** The moment at which the request to cancel came, after all ends of earlier moments had been looked at. */
  readonly cancel: number | null;
  /** Of several failures between two reconciles any may be the first: the one that the record names, if it names one. */
  named(stage: StageName, job: number): string | null;
}

export interface Expected {
  readonly run: { readonly status: string; readonly phase: string; readonly reason: string | null };
  /** `build.1` → status and reason. */
  readonly jobs: Readonly<Record<string, string>>;
  /** `build.1/b0` → status. */
  readonly steps: Readonly<Record<string, string>>;
}

type StepEnd =
  | { readonly state: "pending" | "running" | "succeeded" | "canceled" }
  | { readonly state: "failed"; readonly step: StepGiven; readonly reason: string; readonly moment: number };

type JobEnd =
  | { readonly state: "pending" | "running" | "succeeded" | "canceled" }
  | { readonly state: "failed"; readonly reason: string; readonly again: boolean };

const before = { build: "building", test: "testing", deploy: "deploying" } as const;
const after = { build: "built", test: "tested", deploy: "deployed" } as const;
export const maxAttempts = 3;

export function expected(stages: readonly StageGiven[], happened: Happened): Expected {
  if (happened.resolution !== "resolved") return unresolved(happened.resolution);
  const jobs: Record<string, string> = {};
  const steps: Record<string, string> = {};
  const toCancel = happened.cancel !== null;
  let phase = "submitted";
  let result: { readonly status: string; readonly reason: string | null } | null = null;
  let begun = false;

  for (const stage of stages) {
    for (let attempt = 1; ; attempt++) {
      const key = `${stage.name}.${attempt}`;
      if (result !== null) {
        const rest =
          result.status === "failed" ? "skipped" : result.status === "canceled" ? "canceled" : "pending";
        jobs[key] = rest;
        for (const step of stage.steps) steps[`${key}/${step.name}`] = rest;
        break;
      }
      const end = walkJob(stage, attempt, happened, (step, state) => (steps[`${key}/${step}`] = state));
      jobs[key] = end.state === "failed" ? `failed ${end.reason}` : end.state;
      if (stage.steps.some((step) => happened.attempts(stage.name, attempt, step.name).length > 0)) {
        begun = true;
        phase = before[stage.name];
      }
      if (end.state === "failed" && end.again) continue;
      if (end.state === "failed") result = { status: "failed", reason: end.reason };
      else if (end.state === "canceled") result = { status: "canceled", reason: "canceled" };
      else if (end.state === "succeeded") phase = after[stage.name];
      else result = { status: begun ? "running" : "pending", reason: null };
      break;
    }
  }
  if (toCancel && result?.status === "pending") result = { status: "canceled", reason: "canceled" };
  return { run: { phase, ...(result ?? { status: "success", reason: null }) }, jobs, steps };
}

function unresolved(resolution: Exclude<Resolution, "resolved">): Expected {
  const isPending = resolution === "pending";
  const status = isPending ? "pending" : resolution === "canceled" ? "canceled" : "failed";
  const reason = isPending ? null : resolution;
  return { run: { status, phase: "submitted", reason }, jobs: {}, steps: {} };
}

function walkJob(
  stage: StageGiven,
  attempt: number,
  happened: Happened,
  note: (step: string, state: string) => void,
): JobEnd {
  const groups = groupsOf(stage.steps);
  const settle = (from: number, state: string) => {
    for (const step of groups.slice(from).flat()) note(step.name, state);
  };
  for (const [index, group] of groups.entries()) {
    const ends = group.map((step) =>
      stepEnd(stage.name, step, happened.attempts(stage.name, attempt, step.name), happened),
    );
    for (const [n, step] of group.entries()) note(step.name, ends[n]?.state ?? "missing");
    if (ends.every((end) => end.state === "pending") && happened.cancel !== null) {
      settle(index, "canceled");
      return { state: "canceled" };
    }
    if (ends.some((end) => end.state === "pending" || end.state === "running")) {
      settle(index + 1, "pending");
      return { state: ends.every((end) => end.state === "pending") && index === 0 ? "pending" : "running" };
    }
    const failures = ends.flatMap((end) => (end.state === "failed" ? [end] : []));
    if (failures.length > 0) {
      settle(index + 1, "skipped");
      const moment = Math.min(...failures.map((failure) => failure.moment));
      const first = failures.filter((failure) => failure.moment === moment);
      const named = happened.named(stage.name, attempt);
      const { step, reason } = first.find((failure) => failure.step.name === named) ?? first[0] ?? never();
      const policy = step.retry?.on.includes(reason) === true && attempt <= step.retry.max;
      const over = Math.max(
        ...group.map((one) => happened.attempts(stage.name, attempt, one.name).at(-1)?.moment ?? 0),
      );
      return {
        state: "failed",
        reason,
        again: policy && over < (happened.cancel ?? Number.POSITIVE_INFINITY),
      };
    }
    if (ends.some((end) => end.state === "canceled")) {
      settle(index + 1, "canceled");
      return { state: "canceled" };
    }
  }
  return { state: "succeeded" };
}

function stepEnd(
  stage: StageName,
  step: StepGiven,
  attempts: readonly (Fact | null)[],
  { cancel }: Happened,
): StepEnd {
  const last = attempts.at(-1);
  if (last === undefined) return { state: "pending" };
  if (last === null) return { state: "running" };
  if (last.end === "succeeded" || last.end === "canceled") return { state: last.end };
  const { reason, moment } = last;
  if (last.end === "lost" && !last.began) {
    if (cancel !== null && moment >= cancel) return { state: "canceled" };
    if (stage !== "deploy" && attempts.length < maxAttempts) return { state: "running" };
  }
  return { state: "failed", step, reason: reason ?? "none", moment };
}

function groupsOf(steps: readonly StepGiven[]): StepGiven[][] {
  const groups: StepGiven[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (step.group !== null && last?.[0]?.group === step.group) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

function never(): never {
  throw new Error("unreachable");
}
