/** `shipinator.v1.PipelineService` over a `Client`. Answers are REST's, read into messages field by field. */
import { type DescMessage, fromJson, type MessageShape } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { z } from "zod";
import { jobTypes } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { Client, Operation } from "../../services/index.ts";
import { cancelRun } from "../cancel-run.ts";
import { pageQuery, runParameter, runStatus, triggerType } from "../rest/schemas.ts";
import type { Callers, Entered } from "./callers.ts";
import { plain } from "./errors.ts";
import {
  CancelRunResponseSchema,
  ExplainRunResponseSchema,
  GetPipelineResponseSchema,
  GetRunResponseSchema,
  ListPipelinesResponseSchema,
  ListRunsResponseSchema,
  type PipelineService,
  RemovePipelineResponseSchema,
  RetryRunResponseSchema,
  TriggerRunResponseSchema,
  UpdatePipelineResponseSchema,
  WatchRunResponseSchema,
} from "./generated/shipinator.ts";

/** Counts the streams of a caller; the function gives the place back. @throws Problem too_many_requests, unavailable */
export type AdmitStream = (callerKey: string) => () => void;

const reference = z.object({ pipeline: z.string().min(1).max(1_024) });
const page = { limit: pageQuery.limit, cursor: pageQuery.cursor };
const pipelineFilter = z.object({
  ...page,
  project_id: z.string().max(64).optional(),
  repository_id: z.string().max(64).optional(),
});
const runFilter = z.object({
  ...page,
  project: z.string().max(1_024).optional(),
  pipeline: z.string().max(1_024).optional(),
  pipeline_id: z.string().max(64).optional(),
  status: runStatus.optional(),
  ref: z.string().max(1_024).optional(),
  sha: z.string().max(64).optional(),
  since: z.string().max(64).optional(),
});
const pipelineChange = reference.extend({
  name: z.string().max(1_024).optional(),
  trigger_type: triggerType.optional(),
});
const trigger = reference.extend({
  ref: z.string().max(1_024).nullable(),
  sha: z.string().max(64).nullable(),
  only: z.array(z.enum(jobTypes)).max(3),
  validate_now: z.boolean(),
});

export function pipelineService(callers: Callers, admit: AdmitStream): ServiceImpl<typeof PipelineService> {
  const enter = async (context: HandlerContext, operation: Operation): Promise<Client> =>
    (await callers.enter(context, operation)).client;

  async function* streamed<T>({ callerKey }: Entered, items: AsyncIterable<T>): AsyncGenerator<T> {
    const leave = admit(callerKey);
    try {
      yield* items;
    } finally {
      leave();
    }
  }

  return {
    async listPipelines({ limit, cursor, projectId, repositoryId }, context) {
      const client = await enter(context, "pipelines.list");
      const filter = checked(pipelineFilter, {
        limit,
        cursor,
        project_id: projectId,
        repository_id: repositoryId,
      });
      return message(ListPipelinesResponseSchema, await client.pipelines.list(filter));
    },
    async getPipeline({ pipeline }, context) {
      const client = await enter(context, "pipelines.get");
      checked(reference, { pipeline });
      return message(GetPipelineResponseSchema, { pipeline: await client.pipelines.get(pipeline) });
    },
    async updatePipeline({ pipeline, name, triggerType: trigger_type }, context) {
      const client = await enter(context, "pipelines.update");
      const asked = checked(pipelineChange, { pipeline, name, trigger_type });
      const updated = await client.pipelines.update(pipeline, {
        name: asked.name,
        trigger_type: asked.trigger_type,
      });
      return message(UpdatePipelineResponseSchema, { pipeline: updated });
    },
    async removePipeline({ pipeline }, context) {
      const client = await enter(context, "pipelines.remove");
      checked(reference, { pipeline });
      await client.pipelines.remove(pipeline);
      return message(RemovePipelineResponseSchema, {});
    },
    async triggerRun({ pipeline, ref, sha, only, validateNow }, context) {
      const entered = await callers.enter(context, "runs.trigger");
      const asked = checked(trigger, {
        pipeline,
        ref: ref ?? null,
        sha: sha ?? null,
        only,
        validate_now: validateNow,
      });
      const run = await callers.once(context, entered, asked, async (id) => {
        const source = {
          kind: "pipeline",
          pipeline: asked.pipeline,
          ref: asked.ref,
          sha: asked.sha,
          validate: asked.validate_now ? "now" : "later",
        } as const;
        const stages = asked.only.length === 0 ? null : asked.only;
        return (await entered.client.trigger({ source, only: stages, id, by: "" }, context.signal)).run;
      });
      return message(TriggerRunResponseSchema, { run });
    },
    async listRuns({ limit, cursor, pipelineId, since, project, pipeline, status, ref, sha }, context) {
      const client = await enter(context, "runs.list");
      const filter = checked(runFilter, {
        limit,
        cursor,
        project,
        pipeline,
        pipeline_id: pipelineId,
        status,
        ref,
        sha,
        since: since && timestampDate(since).toISOString(),
      });
      return message(ListRunsResponseSchema, await client.list(filter));
    },
    async getRun(request, context) {
      const client = await enter(context, "runs.get");
      return message(GetRunResponseSchema, { run: await client.get(runOf(request)) });
    },
    async cancelRun(request, context) {
      const client = await enter(context, "runs.cancel");
      const run = await cancelRun(client, runOf(request), request.now ? "now" : "in time");
      return message(CancelRunResponseSchema, { run });
    },
    async retryRun(request, context) {
      const entered = await callers.enter(context, "runs.retry");
      const what = request.failed ? "failed" : "whole";
      const asked = { run: runOf(request), what } as const;
      const run = await callers.once(
        context,
        entered,
        asked,
        async (id) =>
          (await entered.client.retry({ ...asked, by: "", ...(id === undefined ? {} : { id }) })).run,
      );
      return message(RetryRunResponseSchema, { run });
    },
    async explainRun(request, context) {
      const client = await enter(context, "runs.why");
      return message(ExplainRunResponseSchema, { why: await client.why(runOf(request)) });
    },
    async *watchRun(request, context) {
      const entered = await callers.enter(context, "runs.events");
      const { id } = await entered.client.head(runOf(request));
      const events = entered.client.events(id, numberOf(request.after, "after"), context.signal);
      for await (const transition of streamed(entered, events))
        yield message(WatchRunResponseSchema, { transition });
    },
    async *readLog({ executionId, stepId, offset, follow }, context) {
      const entered = await callers.enter(context, "logs.read");
      const { client } = entered;
      const execution = executionId ?? (stepId === undefined ? null : await client.executionOf(stepId));
      if (execution === null) throw new Problem("usage", "neither execution_id nor step_id is given");
      const from = { executionId: execution, offset: numberOf(offset, "offset"), follow };
      for await (const { offset: at, bytes } of streamed(entered, client.log(from, context.signal)))
        yield { offset: BigInt(at), data: bytes };
    },
  };
}

/** @throws Problem usage, as in REST */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const details = result.error.issues.map(({ path, message: said }) => ({
    place: path.join("."),
    message: said,
  }));
  const [first] = details;
  throw new Problem("usage", details.map(({ place, message: said }) => `${place}: ${said}`).join("; "), {
    ...(first === undefined ? {} : { place: first.place }),
    details,
  });
}

export function runOf({ run }: { readonly run: string }): string {
  return checked(runParameter, { run }).run;
}

export function numberOf(value: bigint, place: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Problem("usage", `${place}: ${value} is no whole number from 0 to 2^53`, { place });
}

/** A field that the message does not know is an error: nothing that REST shows is left out here. */
export function message<Schema extends DescMessage>(schema: Schema, wire: object): MessageShape<Schema> {
  return fromJson(schema, plain(wire));
}
