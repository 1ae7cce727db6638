/**
 * Arguments of suggested commands: unambiguous references, and the options that make the command use the same server or
 * data directory as this one.
 */
import { resolve } from "node:path";
import { Problem, shellWord } from "../kernel/index.ts";
import type { Client, PipelineDetail, RunSummary } from "../services/index.ts";
import type { CommandContext } from "./context.ts";
import type { Session } from "./deps.ts";
import { readLogin } from "./remote/login-file.ts";

type Run = Pick<RunSummary, "id" | "number" | "pipeline" | "project">;

/** Arguments for a run after `shipinator status` and similar commands. */
export async function runArgument(context: CommandContext, session: Session, run: Run): Promise<string> {
  return `${await runReference(session.client, run)}${await locationOptions(context, session)}`;
}

/** Arguments for a run after `shipinator resume`, which uses only this data directory. */
export async function resumeArgument(context: CommandContext, client: Client, run: Run): Promise<string> {
  return `${await runReference(client, run)}${configOption(context)}`;
}

/** Arguments for a pipeline after `shipinator trigger` and similar commands. */
export async function pipelineArgument(
  context: CommandContext,
  session: Session,
  pipeline: Pick<PipelineDetail, "id" | "name" | "project">,
): Promise<string> {
  return `${await pipelineReference(session.client, pipeline)}${await locationOptions(context, session)}`;
}

/** Options that select the same server or data directory, each after a space. A token is never included. */
export async function locationOptions(
  context: CommandContext,
  { location }: Pick<Session, "location">,
): Promise<string> {
  const config = configOption(context);
  const { deps, server, caFile } = context;
  if (location === "local") return (await usesAnotherServer(context)) ? `${config} --server local` : config;
  const named = server === null ? "" : ` --server ${shellWord(server)}`;
  const authorities = caFile === null ? "" : ` --ca-file ${shellWord(resolve(deps.cwd, caFile))}`;
  return `${config}${named}${authorities}`;
}

function configOption({ configFile }: CommandContext): string {
  return configFile === null ? "" : ` --config ${shellWord(configFile)}`;
}

/** Tests whether a command without options would use another server. */
async function usesAnotherServer({ deps }: CommandContext): Promise<boolean> {
  const named = deps.environment.SHIPINATOR_SERVER;
  if (named !== undefined) return named !== "local";
  // An unreadable login file also makes a command fail.
  return await readLogin(deps).then(
    (login) => login !== null,
    () => true,
  );
}

/** The shortest unambiguous reference to the run, quoted for a shell. */
async function runReference(
  client: Client,
  { id, number, pipeline, project }: Pick<RunSummary, "id" | "number" | "pipeline" | "project">,
): Promise<string> {
  const last = `${pipeline}#${number}`;
  return await shortest(id, [String(number), last, `${project}/${last}`], (name) => client.get(name));
}

/** The shortest unambiguous reference to the pipeline, quoted for a shell. */
async function pipelineReference(
  client: Client,
  { id, name, project }: Pick<PipelineDetail, "id" | "name" | "project">,
): Promise<string> {
  return await shortest(id, [name, `${project}/${name}`], (reference) => client.pipelines.get(reference));
}

type Find = (name: string) => Promise<{ readonly id: string }>;

async function shortest(id: string, names: readonly string[], find: Find): Promise<string> {
  // A name that begins with a dash would be parsed as an option.
  for (const name of names.filter((one) => !one.startsWith("-")))
    if ((await idOf(find, name)) === id) return shellWord(name);
  return id;
}

async function idOf(find: Find, name: string): Promise<string | null> {
  try {
    return (await find(name)).id;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}
