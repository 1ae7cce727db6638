/** `shipinator.v1.PipelineService` over a `Client`. Answers are REST's, read into messages field by field. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { z } from "zod";
import { newRun, pipelineChange, pipelineFilter, runFilter } from "../../contract/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { Client, Operation } from "../../services/index.ts";
import { cancelRun } from "../cancel-run.ts";
import { triggerOf } from "../trigger-request.ts";
import type { Callers, Entered } from "./callers.ts";
import {
  CancelRunResponseSchema,
  ExplainRunResponseSchema,
  GetPipelineResponseSchema,
  GetRunResponseSchema,
  ListPipelinesRequestSchema,
  ListPipelinesResponseSchema,
  ListRunsRequestSchema,
  ListRunsResponseSchema,
  type PipelineService,
  RemovePipelineResponseSchema,
  RetryRunResponseSchema,
  TriggerRunRequestSchema,
  TriggerRunResponseSchema,
  UpdatePipelineRequestSchema,
  UpdatePipelineResponseSchema,
  WatchRunResponseSchema,
} from "./generated/shipinator.ts";
import { checked, message, numberOf, runOf, wireOf } from "./messages.ts";

/** Counts the streams of a caller; the function gives the place back. @throws Problem too_many_requests, unavailable */
export type AdmitStream = (callerKey: string) => () => void;

const reference = z.object({ pipeline: z.string().min(1).max(1_024) });

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
    async listPipelines(request, context) {
      const client = await enter(context, "pipelines.list");
      const filter = checked(pipelineFilter, wireOf(ListPipelinesRequestSchema, request));
      return message(ListPipelinesResponseSchema, await client.pipelines.list(filter));
    },
    async getPipeline({ pipeline }, context) {
      const client = await enter(context, "pipelines.get");
      checked(reference, { pipeline });
      return message(GetPipelineResponseSchema, { pipeline: await client.pipelines.get(pipeline) });
    },
    async updatePipeline(request, context) {
      const client = await enter(context, "pipelines.update");
      const { pipeline } = checked(reference, { pipeline: request.pipeline });
      const change = checked(pipelineChange, wireOf(UpdatePipelineRequestSchema, request, "pipeline"));
      const updated = await client.pipelines.update(pipeline, change);
      return message(UpdatePipelineResponseSchema, { pipeline: updated });
    },
    async removePipeline({ pipeline }, context) {
      const client = await enter(context, "pipelines.remove");
      checked(reference, { pipeline });
      await client.pipelines.remove(pipeline);
      return message(RemovePipelineResponseSchema, {});
    },
    async triggerRun(request, context) {
      const entered = await callers.enter(context, "runs.trigger");
      const { pipeline } = checked(reference, { pipeline: request.pipeline });
      const wanted = checked(newRun, wireOf(TriggerRunRequestSchema, request, "pipeline"));
      const run = await callers.once(context, entered, { pipeline, ...wanted }, async (id) => {
        const asked = { ...triggerOf(pipeline, wanted), id };
        return (await entered.client.trigger(asked, context.signal)).run;
      });
      return message(TriggerRunResponseSchema, { run });
    },
    async listRuns(request, context) {
      const client = await enter(context, "runs.list");
      const filter = checked(runFilter, wireOf(ListRunsRequestSchema, request));
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
        async (id) => (await entered.client.retry({ ...asked, by: "", id })).run,
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
      if (execution === null) throw new Problem("usage", "The request has neither execution_id nor step_id.");
      const from = { executionId: execution, offset: numberOf(offset, "offset"), follow };
      for await (const { offset: at, bytes } of streamed(entered, client.log(from, context.signal)))
        yield { offset: BigInt(at), data: bytes };
    },
  };
}
