/**
 * The workspaces of job attempts: each is described once, opened once per process, and closed when its job is over.
 *
 * An opening is written down (`executions.external_id` of the execution it was made for) before anything is submitted
 * in it. So of a job without that mark it is proven that no attempt was ever handed to an executor, wherever the process
 * died: its attempts are started as if for the first time, while an attempt that vanished from an open job is lost. And
 * a process that slept in a long checkout while another took its run over finds the mark set, and submits nothing.
 */
import { type ExecutionSpec, type JobSpec, type JobView, mirrorName } from "../domain/index.ts";
import { errorMessage, type JobId, Problem, type RunId } from "../kernel/index.ts";
import type { OrchestratorDeps, Subject } from "./types.ts";

/** What was found when the workspace was open: submit; or the run was to be canceled, is another's, or we stop. */
export type Admission = "admitted" | "canceled" | "foreign" | "stopping";

export interface Workspaces {
  /** Begins to read what an opening will need, which does not change by the start of the attempt. */
  prefetch(subject: Subject): void;
  /** What the executor is told of the attempt. */
  describe(subject: Subject): Promise<ExecutionSpec>;
  /**
   * Null: the attempt's workspace may be opened. Else `until` resolves when that is to be asked again; meanwhile the
   * attempt needs no slot.
   */
  admission(subject: Subject): Promise<{ readonly until: Promise<void> } | null>;
  /** Opens the attempt's workspace when it is not. Attempts of one job share the opening and its answer. */
  open(subject: Subject): Promise<Admission>;
  isOpen(jobId: JobId): boolean;
  /** Whether anything of this job may have been handed to an executor before this process first asked. */
  wasOpened(subject: Subject): Promise<boolean>;
  /** Closes it in the background; one that fails is closed again by `tend`. */
  close(runId: RunId, job: Pick<JobView, "id" | "attempt">): void;
  /** Closes what is open of the run beside the active job: their ends are recorded. */
  closeEnded(runId: RunId, active: JobId | undefined): void;
  /** Tries again to close what could not be closed. */
  tend(): void;
  /** The run is another's now: nothing of it is touched. */
  forget(runId: RunId): void;
  /** Resolves when no closing is under way. */
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

  /** Failures are not kept: the next to ask tries again. */
  function specOf(subject: Subject): Promise<JobSpec> {
    const workspace = workspaceOf(subject.runId, subject.job);
    workspace.spec ??= describeJob(deps, subject).catch((error: unknown) => {
      workspace.spec = null;
      throw error;
    });
    return workspace.spec;
  }

  async function openAnew(subject: Subject): Promise<Admission> {
    const { job, execution } = subject;
    await executor.open(await specOf(subject));
    if (stopping.aborted) return "stopping";
    const place = `${job.id}.${job.attempt} on ${owner.node}`;
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
          "a workspace could not be closed; the sweep tries again",
        );
      } finally {
        closing.delete(job.id);
      }
    };
    closing.set(job.id, work());
  }

  return {
    prefetch(subject) {
      // An error of it is that of the opening, which asks again.
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
      workspace.opening ??= openAnew(subject);
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
      // Asked once: the attempts of a job are found together, and the first to be started sets the mark.
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
    tend() {
      for (const workspace of unclosed.values()) close(workspace);
    },
    forget(runId) {
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
  if (spec === null) throw new Problem("internal", `there is no job ${job.id}`);
  const { plan } = step;
  if (plan.source === "tree" && spec.source === null)
    throw new Problem("internal", `run ${spec.runId} has no tree to check out`);
  // A test runs without what was not built; a deploy does not.
  const absent = plan.inputs.find((input) => spec.inputs.every((found) => found.name !== input.name));
  if (absent !== undefined && job.type === "deploy")
    throw new Problem(
      "artifact_missing",
      `the artifact ${absent.name} of this run does not exist, so nothing was deployed`,
    );
  // The mirror is named by where it came from and what opened it, not by the repository's row.
  const { source } = spec;
  if (source === null) return spec;
  const repositoryId = mirrorName(source.cloneUrl, source.credential ?? null);
  return { ...spec, source: { ...source, repositoryId } };
}
