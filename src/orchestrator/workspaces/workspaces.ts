/**
 * The workspaces of job attempts: each is described once, opened once per process, and closed when its job is over.
 *
 * An opening is recorded (`executions.external_id` of the execution it was made for) before anything is submitted in it.
 * So a job without that mark proves that none of its attempts was ever submitted, wherever the process died: they start
 * as if for the first time, while an attempt that vanished from an open job is lost. A process that is delayed by a long
 * checkout while another takes ownership of its run finds the mark set, and submits nothing.
 */
import { type ExecutionSpec, type JobSpec, type JobView, mirrorName } from "../../domain/index.ts";
import { errorMessage, type JobId, Problem, type RunId } from "../../kernel/index.ts";
import type { OrchestratorDeps, Subject } from "../types.ts";

/** The next act once a workspace is open: submit, or not, because of a cancel, another owner or the process's stop. */
export type Admission = "admitted" | "canceled" | "foreign" | "stopping";

export interface Workspaces {
  /** Begins to read what an opening will need; the start of the attempt does not change it. */
  prefetch(subject: Subject): void;
  /** Returns the specification of the attempt for the executor. */
  describe(subject: Subject): Promise<ExecutionSpec>;
  /**
   * Returns null when the attempt's workspace may be opened. Else `until` resolves when to ask again; meanwhile the attempt
   * needs no slot.
   */
  admission(subject: Subject): Promise<{ readonly until: Promise<void> } | null>;
  /** Opens the attempt's workspace unless it is open. Attempts of one job share the opening and its result. */
  open(subject: Subject): Promise<Admission>;
  isOpen(jobId: JobId): boolean;
  /** True when an attempt of this job may have been submitted before this process first asked. */
  wasOpened(subject: Subject): Promise<boolean>;
  /** Closes the workspace in the background; `retryClosing` repeats a failed closing. */
  close(runId: RunId, job: Pick<JobView, "id" | "attempt">): void;
  /** Closes the workspaces of the run's jobs that are not active: their ends are recorded. */
  closeEnded(runId: RunId, active: JobId | undefined): void;
  /** Repeats failed closings. */
  retryClosing(): void;
  /** Forgets the workspaces of a run that another process owns, without touching them. */
  untrack(runId: RunId): void;
  /** Resolves when no closing is running. */
  idle(): Promise<void>;
}

interface Workspace {
  readonly runId: RunId;
  readonly job: Pick<JobView, "id" | "attempt">;
  spec: Promise<JobSpec> | null;
  opening: Promise<Admission> | null;
  wasOpened: Promise<boolean> | null;
}

export function createWorkspaces(deps: OrchestratorDeps, stopping: AbortSignal): Workspaces {
  const { store, executor, owner } = deps;
  const workspaces = new Map<JobId, Workspace>();
  const closing = new Map<JobId, Promise<void>>();
  const unclosed = new Map<JobId, Workspace>();

  function workspaceOf(runId: RunId, job: Workspace["job"]): Workspace {
    let workspace = workspaces.get(job.id);
    if (workspace === undefined) {
      workspace = { runId, job, spec: null, opening: null, wasOpened: null };
      workspaces.set(job.id, workspace);
    }
    return workspace;
  }

  /** Caches the specification. A failure is not cached. */
  function specOf(subject: Subject): Promise<JobSpec> {
    const workspace = workspaceOf(subject.runId, subject.job);
    workspace.spec ??= describeJob(deps, subject).catch((error: unknown) => {
      workspace.spec = null;
      throw error;
    });
    return workspace.spec;
  }

  async function openOnce(subject: Subject): Promise<Admission> {
    const { job, execution } = subject;
    await executor.open(await specOf(subject));
    if (stopping.aborted) return "stopping";
    const place = `${job.id}.${job.attempt} on ${owner.instance}`;
    const placed = await store.executions.place(execution.id, place, owner);
    if (placed === null) return "foreign";
    return placed === "wanted" ? "admitted" : "canceled";
  }

  function close(workspace: Workspace): void {
    const { job, runId, opening } = workspace;
    if (closing.has(job.id)) return;
    workspaces.delete(job.id);
    const work = async () => {
      try {
        await opening?.catch(() => undefined);
        const unused = opening === null && !(await isMarked(deps, runId, job.id));
        await executor.close({ jobId: job.id, attempt: job.attempt, ...(unused ? { unused } : {}) });
        unclosed.delete(job.id);
      } catch (error) {
        unclosed.set(job.id, workspace);
        deps.log.error(
          { pipeline_run_id: runId, job_id: job.id, error: errorMessage(error) },
          "A workspace could not be closed and is closed again later.",
        );
      } finally {
        closing.delete(job.id);
      }
    };
    closing.set(job.id, work());
  }

  return {
    prefetch(subject) {
      // The opening repeats a failed read.
      specOf(subject).catch(() => undefined);
    },
    async describe(subject) {
      const { step, execution } = subject;
      const job = await specOf(subject);
      return { ...step.plan, executionId: execution.id, stepId: step.id, attempt: execution.attempt, job };
    },
    async admission(subject) {
      if (executor.admission === undefined || workspaceOf(subject.runId, subject.job).opening !== null)
        return null;
      const until = executor.admission(await specOf(subject));
      return until === null ? null : { until };
    },
    async open(subject) {
      const workspace = workspaceOf(subject.runId, subject.job);
      workspace.opening ??= openOnce(subject);
      const { opening } = workspace;
      try {
        const admission = await opening;
        if (admission !== "admitted" && workspace.opening === opening) workspace.opening = null;
        return admission;
      } catch (error) {
        if (workspace.opening === opening) workspace.opening = null;
        throw error;
      }
    },
    isOpen: (jobId) => (workspaces.get(jobId)?.opening ?? null) !== null,
    wasOpened({ runId, job }) {
      // Read once: the attempts of a job are found together, and the first to be started sets the mark.
      const workspace = workspaceOf(runId, job);
      workspace.wasOpened ??= isMarked(deps, runId, job.id).catch((error: unknown) => {
        workspace.wasOpened = null;
        throw error;
      });
      return workspace.wasOpened;
    },
    close: (runId, job) => close(workspaceOf(runId, job)),
    closeEnded(runId, active) {
      for (const workspace of workspaces.values())
        if (workspace.runId === runId && workspace.job.id !== active) close(workspace);
    },
    retryClosing() {
      for (const workspace of unclosed.values()) close(workspace);
    },
    untrack(runId) {
      for (const { job, runId: of } of workspaces.values()) if (of === runId) workspaces.delete(job.id);
    },
    async idle() {
      while (closing.size > 0) await Promise.all(closing.values());
    },
  };
}

async function isMarked({ store }: OrchestratorDeps, runId: RunId, jobId: JobId): Promise<boolean> {
  const [steps, executions] = await Promise.all([store.steps.ofJob(jobId), store.executions.ofRun(runId)]);
  const own = new Set(steps.map((step) => step.id));
  return executions.some((one) => own.has(one.job_step_id) && one.external_id !== null);
}

async function describeJob({ store }: OrchestratorDeps, { job, step }: Subject): Promise<JobSpec> {
  const spec = await store.jobs.spec(job.id);
  if (spec === null) throw new Problem("internal", `There is no job ${job.id}.`);
  const { plan } = step;
  if (plan.source === "tree" && spec.source === null)
    throw new Problem("internal", `Run ${spec.runId} has no tree to check out.`);
  // A test runs without what was not built; a deploy does not.
  const absent = plan.inputs.find((input) => spec.inputs.every((found) => found.name !== input.name));
  if (absent !== undefined && job.type === "deploy")
    throw new Problem(
      "artifact_missing",
      `The artifact ${absent.name} of this run does not exist, so nothing was deployed.`,
    );
  // The mirror is named by where it came from and what opened it, not by the repository's row.
  const { source } = spec;
  if (source === null) return spec;
  const repositoryId = mirrorName(source.cloneUrl, source.credential ?? null);
  return { ...spec, source: { ...source, repositoryId } };
}
