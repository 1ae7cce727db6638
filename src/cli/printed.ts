/**
 * Words of the commands that are shown to be typed: names that mean one thing alone, and the options without which the
 * command would look into another place than this one did.
 */
import { resolve } from "node:path";
import { Problem, shellWord } from "../kernel/index.ts";
import type { Client, PipelineDetail, RunSummary } from "../services/index.ts";
import type { CommandContext } from "./context.ts";
import type { Session } from "./deps.ts";
import { readLogin } from "./remote/login-file.ts";

type Run = Pick<RunSummary, "id" | "number" | "pipeline" | "project">;

/** The run, and the place where it is known, after `shipinator status` and its like. */
export async function runWords(context: CommandContext, session: Session, run: Run): Promise<string> {
  return `${await runReference(session.client, run)}${await placeOptions(context, session)}`;
}

/** The run after `shipinator resume`, which works in this data directory alone. */
export async function resumeWords(context: CommandContext, client: Client, run: Run): Promise<string> {
  return `${await runReference(client, run)}${configOption(context)}`;
}

/** The pipeline, and the place where it is known, after `shipinator trigger` and its like. */
export async function pipelineWords(
  context: CommandContext,
  session: Session,
  pipeline: Pick<PipelineDetail, "id" | "name" | "project">,
): Promise<string> {
  return `${await pipelineReference(session.client, pipeline)}${await placeOptions(context, session)}`;
}

/** The options that lead another command to this one's place, each after a space. A token is never shown. */
export async function placeOptions(
  context: CommandContext,
  { place }: Pick<Session, "place">,
): Promise<string> {
  const config = configOption(context);
  const { deps, server, caFile } = context;
  if (place === "here") return (await leadsElsewhere(context)) ? `${config} --server local` : config;
  const named = server === null ? "" : ` --server ${shellWord(server)}`;
  const authorities = caFile === null ? "" : ` --ca-file ${shellWord(resolve(deps.cwd, caFile))}`;
  return `${config}${named}${authorities}`;
}

function configOption({ configFile }: CommandContext): string {
  return configFile === null ? "" : ` --config ${shellWord(configFile)}`;
}

/** Tells whether a command without options would ask another server. */
async function leadsElsewhere({ deps }: CommandContext): Promise<boolean> {
  const named = deps.environment.SHIPINATOR_SERVER;
  if (named !== undefined) return named !== "local";
  // A file that cannot be read stands in the way as well.
  return await readLogin(deps).then(
    (login) => login !== null,
    () => true,
  );
}

/** The shortest name of the run that means no other, as a word of a shell. */
async function runReference(
  client: Client,
  { id, number, pipeline, project }: Pick<RunSummary, "id" | "number" | "pipeline" | "project">,
): Promise<string> {
  const last = `${pipeline}#${number}`;
  return await shortest(id, [String(number), last, `${project}/${last}`], (name) => client.get(name));
}

/** The shortest name of the pipeline that means no other, as a word of a shell. */
async function pipelineReference(
  client: Client,
  { id, name, project }: Pick<PipelineDetail, "id" | "name" | "project">,
): Promise<string> {
  return await shortest(id, [name, `${project}/${name}`], (asked) => client.pipelines.get(asked));
}

type Find = (name: string) => Promise<{ readonly id: string }>;

async function shortest(id: string, names: readonly string[], find: Find): Promise<string> {
  // A word that begins with a dash would be read as an option.
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
