/** `/v1/pipeline-runs` */

import {
  artifact,
  job,
  listOf,
  pageOf,
  runCancel,
  runDetail,
  runFilter,
  runParameter,
  runRetry,
  runSummary,
  why,
} from "../../../contract/index.ts";
import { cancelRun } from "../../cancel-run.ts";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";

const tags = ["runs"];

export function runRoutes(app: App): void {
  app.route({
    method: "GET",
    url: "/v1/pipeline-runs",
    config: { access: "runs.list" },
    schema: {
      tags,
      summary: "List runs, newest first",
      description:
        "By pipeline or project, each also with status or cause; by pipeline and ref; by status; by sha; each also with since. Other combinations are refused.",
      operationId: "listRuns",
      querystring: runFilter,
      response: answers({ 200: pageOf(runSummary) }),
    },
    handler: ({ client, query }) => client.list(query),
  });
  app.route({
    method: "GET",
    url: "/v1/pipeline-runs/:run",
    config: { access: "runs.get" },
    schema: {
      tags,
      summary: "Show a run with its jobs, steps and artifacts",
      operationId: "getRun",
      params: runParameter,
      response: answers({ 200: runDetail }),
    },
    handler: ({ client, params }) => client.get(params.run),
  });
  app.route({
    method: "GET",
    url: "/v1/pipeline-runs/:run/jobs",
    config: { access: "runs.get" },
    schema: {
      tags,
      summary: "Show a run's jobs with their steps",
      operationId: "listJobs",
      params: runParameter,
      response: answers({ 200: listOf(job) }),
    },
    handler: async ({ client, params }) => ({ items: (await client.get(params.run)).jobs }),
  });
  app.route({
    method: "GET",
    url: "/v1/pipeline-runs/:run/artifacts",
    config: { access: "runs.get" },
    schema: {
      tags: ["artifacts"],
      summary: "Show what a run has made",
      operationId: "listArtifacts",
      params: runParameter,
      response: answers({ 200: listOf(artifact) }),
    },
    handler: async ({ client, params }) => ({ items: (await client.get(params.run)).artifacts }),
  });
  app.route({
    method: "GET",
    url: "/v1/pipeline-runs/:run/why",
    config: { access: "runs.why" },
    schema: {
      tags,
      summary: "Say why a run is where it is",
      operationId: "explainRun",
      params: runParameter,
      response: answers({ 200: why }),
    },
    handler: ({ client, params }) => client.why(params.run),
  });
  app.route({
    method: "POST",
    url: "/v1/pipeline-runs/:run/cancel",
    config: { access: "runs.cancel" },
    schema: {
      tags,
      summary: "Cancel a run; with `now`, kill at once what is still being ended",
      operationId: "cancelRun",
      params: runParameter,
      body: runCancel.nullish(),
      response: answers({ 202: runDetail }),
    },
    async handler({ client, params, body }, reply) {
      const run = await cancelRun(client, params.run, body?.now === true ? "now" : "in time");
      return await reply.status(202).send(run);
    },
  });
  app.route({
    method: "POST",
    url: "/v1/pipeline-runs/:run/retry",
    config: { access: "runs.retry" },
    schema: {
      tags,
      summary: "Run the same commit again, as a new run; with `failed`, only what has not succeeded",
      operationId: "retryRun",
      params: runParameter,
      body: runRetry.nullish(),
      response: answers({ 202: runDetail }),
    },
    async handler({ client, params, body, resourceId: id }, reply) {
      const asked = { run: params.run, what: body?.what, by: "", id };
      const { run } = await client.retry(asked);
      return await reply.status(202).header("location", `/v1/pipeline-runs/${run.id}`).send(run);
    },
  });
}
