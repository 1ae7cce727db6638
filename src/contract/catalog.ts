/** Projects, repositories and pipelines. */
import { z } from "zod";
import { triggerTypes, vcsProviders } from "../domain/index.ts";
import { givenId, givenName, id, nullableText, text, time, type Wire } from "./fields.ts";
import { pageQuery } from "./parameters.ts";

export const project = z
  .object({ id, name: text, description: text, created_at: time, updated_at: time })
  .meta({ id: "Project" });
export type ProjectDetail = Wire<typeof project>;

const description = z.string().max(4096).optional();
export const newProject = z.strictObject({ name: givenName, description });
export type NewProject = Wire<typeof newProject>;

/** Absent fields stay as they are, here and in every other change. */
export const projectChange = z.strictObject({ name: givenName.optional(), description });
export type ProjectChange = Wire<typeof projectChange>;

const provider = z.enum(vcsProviders);
export const repository = z
  .object({
    id,
    project_id: id,
    vcs_provider: provider,
    clone_url: text,
    default_branch: nullableText,
    clone_secret: nullableText,
    clone_username: nullableText,
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Repository" });
export type RepositoryDetail = Wire<typeof repository>;

const cloneUrl = z.string().max(2048).meta({
  description: "Without credentials: those are secrets.",
  example: "https://git.example/team/app.git",
});
const repositoryOptions = {
  vcs_provider: provider.optional(),
  default_branch: givenName.nullable().optional(),
  clone_secret: z
    .string()
    .max(128)
    .nullable()
    .meta({
      description:
        "Name of the project's secret that opens it: a token or password (https), a private key (ssh).",
      example: "GIT_TOKEN",
    })
    .optional(),
  clone_username: z
    .string()
    .max(256)
    .nullable()
    .meta({
      description:
        "Goes with the secret to an https address; null: what hosts of this kind take together with a token.",
    })
    .optional(),
};
/** A local path is for an admin on a loopback server only. */
export const newRepository = z.strictObject({
  project_id: givenId,
  clone_url: cloneUrl,
  ...repositoryOptions,
});
export type NewRepository = Wire<typeof newRepository>;

export const repositoryChange = z.strictObject({ clone_url: cloneUrl.optional(), ...repositoryOptions });
export type RepositoryChange = Wire<typeof repositoryChange>;

export const repositoryFilter = pageQuery.extend({ project_id: givenId.optional() });
export type RepositoryFilter = Wire<typeof repositoryFilter>;

/** The commit and file that a run of the repository would use now. */
export const repositoryCheck = z
  .object({
    commit: nullableText,
    ref: nullableText.meta({ description: "The branch that a run takes by default, in full." }),
    pipeline_file_problem: nullableText.meta({
      description: "Why the pipeline file of that commit cannot be used; null: it can.",
    }),
  })
  .meta({ id: "RepositoryCheck" });
export type RepositoryCheck = Wire<typeof repositoryCheck>;

const triggerType = z.enum(triggerTypes);
export const pipeline = z
  .object({
    id,
    repository_id: id,
    project_id: id,
    project: text,
    name: text,
    clone_url: text,
    trigger_type: triggerType,
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Pipeline" });
export type PipelineDetail = Wire<typeof pipeline>;

export const newPipeline = z.strictObject({
  repository_id: givenId,
  name: givenName,
  trigger_type: triggerType.optional(),
});
export type NewPipeline = Wire<typeof newPipeline>;

export const pipelineChange = z.strictObject({
  name: givenName.optional(),
  trigger_type: triggerType.optional(),
});
export type PipelineChange = Wire<typeof pipelineChange>;

export const pipelineFilter = pageQuery.extend({
  project_id: givenId.optional(),
  repository_id: givenId.optional(),
});
export type PipelineFilter = Wire<typeof pipelineFilter>;
