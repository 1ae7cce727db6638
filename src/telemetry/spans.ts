/** A run as a trace: itself, its jobs, their steps, their attempts, with the times that are recorded. Pure. */
import {
  type Attributes,
  type HrTime,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { ExecutionDetail, JobDetail, RunDetail, StepDetail } from "../services/index.ts";

interface Part {
  readonly id: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Null: it went well. */
  readonly fault: string | null;
  readonly attributes: Attributes;
}

/** What was never begun is no span. Ids follow from ours, so that a trace is found by its run. */
export function spansOf(run: RunDetail, resource: Resource): readonly ReadableSpan[] {
  const traceId = run.id.replaceAll("-", "");
  const spans: ReadableSpan[] = [];

  function add(part: Part, parent: SpanContext | null, begunAt: string | null = null): SpanContext {
    const context = {
      traceId,
      spanId: part.id.replaceAll("-", "").slice(16),
      traceFlags: TraceFlags.SAMPLED,
    };
    const [startTime, endTime] = [hrTime(part.from), hrTime(part.to)];
    spans.push({
      name: part.name,
      kind: SpanKind.INTERNAL,
      spanContext: () => context,
      ...(parent === null ? {} : { parentSpanContext: parent }),
      startTime,
      endTime,
      duration: hrTime(new Date(Math.max(0, Date.parse(part.to) - Date.parse(part.from))).toISOString()),
      status:
        part.fault === null
          ? { code: SpanStatusCode.OK }
          : { code: SpanStatusCode.ERROR, message: part.fault },
      attributes: part.attributes,
      links: [],
      events:
        begunAt === null
          ? []
          : [{ time: hrTime(begunAt), name: "begun", attributes: {}, droppedAttributesCount: 0 }],
      ended: true,
      resource,
      instrumentationScope: { name: "shipinator" },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    });
    return context;
  }

  const ended = run.finished_at ?? run.created_at;
  const root = add(partOfRun(run, ended), null);
  for (const job of run.jobs) {
    if (job.started_at === null) continue;
    const ofJob = add(partOfJob(job, ended), root);
    for (const step of job.steps) {
      if (step.started_at === null) continue;
      const ofStep = add(partOfStep(step, ended), ofJob);
      for (const execution of step.executions)
        add(partOfExecution(execution, ended), ofStep, execution.begun_at);
    }
  }
  return spans;
}

function partOfRun(run: RunDetail, to: string): Part {
  return {
    id: run.id,
    name: `run ${run.pipeline}`,
    from: run.created_at,
    to,
    fault: run.status === "success" ? null : (run.failure_message ?? run.failure_reason ?? run.status),
    attributes: {
      "shipinator.pipeline_run_id": run.id,
      "shipinator.number": run.number,
      "shipinator.project": run.project,
      "shipinator.status": run.status,
      "shipinator.phase": run.phase,
      "cicd.pipeline.name": run.pipeline,
      "cicd.pipeline.run.id": run.id,
      ...(run.git_ref === null ? {} : { "vcs.ref.head.name": run.git_ref }),
      ...(run.git_sha === null ? {} : { "vcs.ref.head.revision": run.git_sha }),
      ...reason(run.failure_reason),
    },
  };
}

function partOfJob(job: JobDetail, ended: string): Part {
  return {
    id: job.id,
    name: `${job.job_type} ${job.name}`,
    from: job.started_at ?? job.created_at,
    to: job.finished_at ?? ended,
    fault: job.status === "succeeded" ? null : (job.failure_message ?? job.failure_reason ?? job.status),
    attributes: {
      "shipinator.job_id": job.id,
      "shipinator.stage_type": job.job_type,
      "shipinator.attempt": job.attempt,
      "shipinator.status": job.status,
      ...reason(job.failure_reason),
    },
  };
}

function partOfStep(step: StepDetail, ended: string): Part {
  return {
    id: step.id,
    name: `step ${step.name}`,
    from: step.started_at ?? ended,
    to: step.finished_at ?? ended,
    fault: step.status === "succeeded" ? null : step.status,
    attributes: { "shipinator.job_step_id": step.id, "shipinator.status": step.status },
  };
}

function partOfExecution(execution: ExecutionDetail, ended: string): Part {
  return {
    id: execution.id,
    name: `attempt ${execution.attempt}`,
    from: execution.submitted_at,
    to: execution.completed_at ?? ended,
    fault:
      execution.status === "succeeded"
        ? null
        : (execution.message ?? execution.failure_reason ?? execution.status),
    attributes: {
      "shipinator.execution_id": execution.id,
      "shipinator.executor_type": execution.executor_type,
      "shipinator.status": execution.status,
      ...(execution.exit_code === null ? {} : { "shipinator.exit_code": execution.exit_code }),
      ...reason(execution.failure_reason),
    },
  };
}

const reason = (found: string | null): Attributes => (found === null ? {} : { "shipinator.reason": found });

function hrTime(text: string): HrTime {
  const ms = Date.parse(text);
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000];
}
