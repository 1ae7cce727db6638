/** `/v1/pipelines`, and the runs that they are asked for. */
import { z } from "zod";
import {
  newPipeline,
  newRun,
  pageOf,
  pipeline,
  pipelineChange,
  pipelineFilter,
  pipelineParameter,
  runDetail,
} from "../../../contract/index.ts";
import { triggerOf } from "../../trigger-request.ts";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";
import { goneSignal } from "../gone.ts";

const tags = ["pipelines"];

export function pipelineRoutes(app: App): void {
  app.route({
    method: "POST",
    url: "/v1/pipelines",
    config: { access: "pipelines.create" },
    schema: {
      tags,
      summary: "Make a pipeline of a repository",
      operationId: "createPipeline",
      body: newPipeline,
      response: answers({ 201: pipeline }),
    },
    async handler({ client, body, resourceId: id }, reply) {
      const made = await client.pipelines.create({ ...body, id });
      return await reply.status(201).header("location", `/v1/pipelines/${made.id}`).send(made);
    },
  });
  app.route({
    method: "GET",
    url: "/v1/pipelines",
    config: { access: "pipelines.list" },
    schema: {
      tags,
      summary: "List pipelines, newest first",
      operationId: "listPipelines",
      querystring: pipelineFilter,
      response: answers({ 200: pageOf(pipeline) }),
    },
    handler: ({ client, query }) => client.pipelines.list(query),
  });
  app.route({
    method: "GET",
    url: "/v1/pipelines/:id",
    config: { access: "pipelines.get" },
    schema: {
      tags,
      summary: "Show a pipeline, by its id or by a name that is unique",
      operationId: "getPipeline",
      params: pipelineParameter,
      response: answers({ 200: pipeline }),
    },
    handler: ({ client, params }) => client.pipelines.get(params.id),
  });
  app.route({
    method: "PATCH",
    url: "/v1/pipelines/:id",
    config: { access: "pipelines.update" },
    schema: {
      tags,
      summary: "Change a pipeline",
      operationId: "updatePipeline",
      params: pipelineParameter,
      body: pipelineChange,
      response: answers({ 200: pipeline }),
    },
    handler: ({ client, params, body }) => client.pipelines.update(params.id, body),
  });
  app.route({
    method: "DELETE",
    url: "/v1/pipelines/:id",
    config: { access: "pipelines.remove" },
    schema: {
      tags,
      summary: "Remove a pipeline",
      description:
        "It leaves the lists, takes no runs (410) and gives its name up. Its runs stay until retention deletes them, under its name and the time of the removal. 409 while runs of it are not over.",
      operationId: "deletePipeline",
      params: pipelineParameter,
      response: answers({ 204: z.null() }),
    },
    async handler({ client, params }, reply) {
      await client.pipelines.remove(params.id);
      return await reply.status(204).send(null);
    },
  });
  app.route({
    method: "POST",
    url: "/v1/pipelines/:id/runs",
    config: { access: "runs.trigger" },
    schema: {
      tags: ["runs"],
      summary: "Run a pipeline",
      description:
        "Accepted at once: commit and pipeline file are looked up afterwards, and the run fails where they are not to be had. With `validate_now` they are looked up first, and 422 names line and column.",
      operationId: "triggerRun",
      params: pipelineParameter,
      body: newRun.nullish(),
      response: answers({ 202: runDetail }),
    },
    async handler({ client, params, body, resourceId: id }, reply) {
      const { run } = await client.trigger({ ...triggerOf(params.id, body ?? {}), id }, goneSignal(reply));
      return await reply.status(202).header("location", `/v1/pipeline-runs/${run.id}`).send(run);
    },
  });
}
