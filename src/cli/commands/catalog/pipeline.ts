/** `shipinator pipeline add` and `shipinator pipeline list`. */
import { isAbsolute, resolve } from "node:path";
import { Problem, withoutTrailing } from "../../../kernel/index.ts";
import type {
  Client,
  PipelineDetail,
  ProjectDetail,
  RepositoryChange,
  RepositoryDetail,
} from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { pipelineArgument } from "../../suggested-arguments.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { renderTable } from "../../terminal/table.ts";
import { withSpinner } from "../../watch/spinner.ts";

export interface AddArguments {
  readonly repository: string;
  readonly name: string | null;
  readonly project: string | null;
  /** Name of a secret of the project. Undefined leaves the repository unchanged. */
  readonly cloneSecret: string | undefined;
  readonly cloneUsername: string | undefined;
  /** `checked` rejects a repository that no run can use. */
  readonly trust: "checked" | "unchecked";
}

/** Creates project, repository and pipeline unless they exist. */
export async function addPipelineCommand(context: CommandContext, args: AddArguments): Promise<number> {
  const { deps, out } = context;
  return await withClient(context, async (session, signal) => {
    const { client } = session;
    const url = addressOf(args.repository, deps.cwd);
    // A path refers to this machine, because only a server on this machine accepts it.
    if (isAbsolute(url) && (await deps.files.kind(url)) !== "directory")
      throw new Problem("usage", `The directory ${url} does not exist.`, {
        remedy: "Use the address of a repository, or its directory on this machine.",
      });
    const { project, repository, pipeline } = await register(context, client, { ...args, url }, signal);
    if (asData(context)) await writeData(context, pipeline);
    else {
      const name = sanitizeName(pipeline.name);
      out.write(`Pipeline ${name} of project ${sanitizeName(project.name)}.\n`);
      const opened =
        repository.clone_secret === null ? "" : `, cloned with the secret ${repository.clone_secret}`;
      const words = await pipelineArgument(context, session, pipeline);
      out.write(
        `  ${sanitizeName(repository.clone_url)}${opened}\n  Run it with: shipinator trigger ${words} --follow\n`,
      );
    }
    return EXIT.done;
  });
}

export async function listPipelinesCommand(context: CommandContext): Promise<number> {
  const { out, style } = context;
  return await withClient(context, async ({ client }) => {
    const pipelines = await readAllPages((cursor) => client.pipelines.list({ limit: 200, cursor }));
    if (asData(context)) await writeData(context, pipelines);
    else if (pipelines.length === 0)
      note(context, "There are no pipelines yet. Add one with: shipinator pipeline add REPOSITORY");
    else
      out.write(
        renderTable<PipelineDetail>(
          [
            { header: "PIPELINE", shrinkTo: 8, text: ({ name }) => sanitizeName(name) },
            { header: "PROJECT", shrinkTo: 8, text: ({ project }) => sanitizeName(project) },
            { header: "REPOSITORY", shrinkTo: 12, text: ({ clone_url }) => sanitizeName(clone_url) },
            { header: "ID", text: ({ id }) => id },
          ],
          pipelines,
          { style, width: out.isTTY ? out.columns : null },
        ),
      );
    return EXIT.done;
  });
}

/** Makes a path absolute, because the server has another working directory. */
function addressOf(text: string, cwd: string): string {
  const isAddress = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text) || /^[^/\s:@]+@[^/\s:]+:/.test(text);
  return isAddress ? text : resolve(cwd, text);
}

function nameOf(url: string): string {
  const last = withoutTrailing(url, "/").split(/[/:]/).at(-1) ?? "";
  const name = last.replace(/\.git$/, "");
  if (name !== "") return name;
  throw new Problem("usage", `No name can be derived from ${JSON.stringify(url)}.`, {
    remedy: "Set one with --name.",
  });
}

/** Creates what does not exist yet. A failure removes what was created. */
async function register(
  context: CommandContext,
  client: Client,
  { url, ...args }: AddArguments & { readonly url: string },
  signal: AbortSignal,
) {
  const own = nameOf(url);
  const { project, created: createdProject } = await ensureProject(client, args.project ?? own);
  const undo: (() => Promise<unknown>)[] = createdProject ? [() => client.projects.remove(project.id)] : [];
  try {
    const { repository, created: createdRepository } = await ensureRepository(client, project, url, {
      ...(args.cloneSecret === undefined ? {} : { clone_secret: args.cloneSecret }),
      ...(args.cloneUsername === undefined ? {} : { clone_username: args.cloneUsername }),
    });
    if (createdRepository) undo.unshift(() => client.repositories.remove(repository.id));
    if (args.trust === "checked") await check(context, client, repository, signal);
    return { project, repository, pipeline: await ensurePipeline(client, repository, args.name ?? own) };
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

/** @throws Problem of the check, with the remedy to skip it */
async function check(
  context: CommandContext,
  client: Client,
  { id }: RepositoryDetail,
  signal: AbortSignal,
): Promise<void> {
  try {
    const spinner = { label: "reading the repository", cancel: signal };
    const { pipeline_file_problem: problem } = await withSpinner(context, spinner, () =>
      client.repositories.check(id, signal),
    );
    if (problem !== null) note(context, `The pipeline file is not usable yet: ${problem}`);
  } catch (error) {
    const { code, message, remedy, cause } = Problem.from(error);
    throw new Problem(code, `The repository was not registered: ${message}`, {
      remedy: `${remedy === undefined ? "" : `${remedy}\n  `}To register it without the check, add --no-check.`,
      cause,
    });
  }
}

async function ensureProject(client: Client, name: string) {
  const projects = await readAllPages((cursor) => client.projects.list({ limit: 200, cursor }));
  const existing = projects.find((one) => one.name === name);
  return { project: existing ?? (await client.projects.create({ name })), created: existing === undefined };
}

async function ensureRepository(
  client: Client,
  project: ProjectDetail,
  url: string,
  credential: Pick<RepositoryChange, "clone_secret" | "clone_username">,
) {
  const project_id = project.id;
  const known = await readAllPages((cursor) => client.repositories.list({ project_id, limit: 200, cursor }));
  const same = (one: RepositoryDetail) => trimmed(one.clone_url) === trimmed(url);
  const existing = known.find(same);
  if (existing === undefined)
    return {
      repository: await client.repositories.create({ project_id, clone_url: url, ...credential }),
      created: true,
    };
  const isSame = Object.keys(credential).length === 0;
  return {
    repository: isSame ? existing : await client.repositories.update(existing.id, credential),
    created: false,
  };
}

const trimmed = (url: string) => withoutTrailing(url, "/");

async function ensurePipeline(
  client: Client,
  repository: RepositoryDetail,
  name: string,
): Promise<PipelineDetail> {
  const repository_id = repository.id;
  const known = await readAllPages((cursor) => client.pipelines.list({ repository_id, limit: 200, cursor }));
  return known.find((one) => one.name === name) ?? (await client.pipelines.create({ repository_id, name }));
}

interface PageOf<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

export async function readAllPages<T>(
  read: (cursor: string | undefined) => Promise<PageOf<T>>,
): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}
