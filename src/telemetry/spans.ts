/** Builds the spans of a run, its jobs, steps and executions from the recorded times. Pure. */
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

interface SpanSource {
  readonly id: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Null when it succeeded. */
  readonly failure: string | null;
  readonly attributes: Attributes;
}

/** Jobs and steps that never started have no span. The ids derive from ours, so that a trace is found by its run id. */
export function spansOf(run: RunDetail, resource: Resource): readonly ReadableSpan[] {
  const traceId = run.id.replaceAll("-", "");
  const spans: ReadableSpan[] = [];

  function add(source: SpanSource, parent: SpanContext | null, begunAt: string | null = null): SpanContext {
    const context = {
      traceId,
      spanId: source.id.replaceAll("-", "").slice(16),
      traceFlags: TraceFlags.SAMPLED,
    };
    const [startTime, endTime] = [hrTime(source.from), hrTime(source.to)];
    spans.push({
      name: source.name,
      kind: SpanKind.INTERNAL,
      spanContext: () => context,
      ...(parent === null ? {} : { parentSpanContext: parent }),
      startTime,
      endTime,
      duration: hrTime(new Date(Math.max(0, Date.parse(source.to) - Date.parse(source.from))).toISOString()),
      status:
        source.failure === null
          ? { code: SpanStatusCode.OK }
          : { code: SpanStatusCode.ERROR, message: source.failure },
      attributes: source.attributes,
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
  const root = add(fromRun(run, ended), null);
  for (const job of run.jobs) {
    if (job.started_at === null) continue;
    const jobSpan = add(fromJob(job, ended), root);
    for (const step of job.steps) {
      if (step.started_at === null) continue;
      const stepSpan = add(fromStep(step, ended), jobSpan);
      for (const execution of step.executions)
        add(fromExecution(execution, ended), stepSpan, execution.begun_at);
    }
  }
  return spans;
}

function fromRun(run: RunDetail, to: string): SpanSource {
  return {
    id: run.id,
    name: `run ${run.pipeline}`,
    from: run.created_at,
    to,
    failure: run.status === "success" ? null : (run.failure_message ?? run.failure_reason ?? run.status),
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
      ...reasonAttribute(run.failure_reason),
    },
  };
}

function fromJob(job: JobDetail, ended: string): SpanSource {
  return {
    id: job.id,
    name: `${job.job_type} ${job.name}`,
    from: job.started_at ?? job.created_at,
    to: job.finished_at ?? ended,
    failure: job.status === "succeeded" ? null : (job.failure_message ?? job.failure_reason ?? job.status),
    attributes: {
      "shipinator.job_id": job.id,
      "shipinator.stage_type": job.job_type,
      "shipinator.attempt": job.attempt,
      "shipinator.status": job.status,
      ...reasonAttribute(job.failure_reason),
    },
  };
}

function fromStep(step: StepDetail, ended: string): SpanSource {
  return {
    id: step.id,
    name: `step ${step.name}`,
    from: step.started_at ?? ended,
    to: step.finished_at ?? ended,
    failure: step.status === "succeeded" ? null : step.status,
    attributes: { "shipinator.job_step_id": step.id, "shipinator.status": step.status },
  };
}

function fromExecution(execution: ExecutionDetail, ended: string): SpanSource {
  return {
    id: execution.id,
    name: `attempt ${execution.attempt}`,
    from: execution.submitted_at,
    to: execution.completed_at ?? ended,
    failure:
      execution.status === "succeeded"
        ? null
        : (execution.message ?? execution.failure_reason ?? execution.status),
    attributes: {
      "shipinator.execution_id": execution.id,
      "shipinator.executor_type": execution.executor_type,
      "shipinator.status": execution.status,
      ...(execution.exit_code === null ? {} : { "shipinator.exit_code": execution.exit_code }),
      ...reasonAttribute(execution.failure_reason),
    },
  };
}

const reasonAttribute = (reason: string | null): Attributes =>
  reason === null ? {} : { "shipinator.reason": reason };

function hrTime(text: string): HrTime {
  const ms = Date.parse(text);
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000];
}
