/** `shipinator pipeline add` and `… list`. */
import { isAbsolute, resolve } from "node:path";
import { Problem, withoutTrailing } from "../../kernel/index.ts";
import type {
  Client,
  PipelineDetail,
  ProjectDetail,
  RepositoryChange,
  RepositoryDetail,
} from "../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../context.ts";
import { EXIT } from "../errors.ts";
import { pipelineWords } from "../printed.ts";
import { withReader } from "../session.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import { renderTable } from "../terminal/table.ts";
import { whileWaiting } from "../watch/waiting.ts";

export interface AddArguments {
  readonly repository: string;
  readonly name: string | null;
  readonly project: string | null;
  /** Of the project's secrets; absent: what the repository has stays. */
  readonly cloneSecret: string | undefined;
  readonly cloneUsername: string | undefined;
  /** `checked`: a repository that no run could use is not registered. */
  readonly trust: "checked" | "unchecked";
}

/** Makes what is not there yet of project, repository and pipeline; asked again, it says what there is. */
export async function addPipelineCommand(context: CommandContext, args: AddArguments): Promise<number> {
  const { deps, out } = context;
  return await withReader(context, async (session, signal) => {
    const { client } = session;
    const url = addressOf(args.repository, deps.cwd);
    // A path is one of this machine: the server that takes it runs here.
    if (isAbsolute(url) && (await deps.files.kind(url)) !== "directory")
      throw new Problem("usage", `there is no directory ${url}`, {
        remedy: "Give a repository's address, or its directory on this machine.",
      });
    const { project, repository, pipeline } = await register(context, client, { ...args, url }, signal);
    if (asData(context)) await writeData(context, pipeline);
    else {
      const name = sanitizeName(pipeline.name);
      out.write(`pipeline ${name} of project ${sanitizeName(project.name)}\n`);
      const opened =
        repository.clone_secret === null ? "" : `, cloned with the secret ${repository.clone_secret}`;
      const words = await pipelineWords(context, session, pipeline);
      out.write(
        `  ${sanitizeName(repository.clone_url)}${opened}\n  run it with: shipinator trigger ${words} --follow\n`,
      );
    }
    return EXIT.done;
  });
}

export async function listPipelinesCommand(context: CommandContext): Promise<number> {
  const { out, style } = context;
  return await withReader(context, async ({ client }) => {
    const pipelines = await all((cursor) => client.pipelines.list({ limit: 200, cursor }));
    if (asData(context)) await writeData(context, pipelines);
    else if (pipelines.length === 0)
      note(context, "no pipelines yet; this makes one: shipinator pipeline add REPOSITORY");
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

/** A path becomes absolute, for the server works in another directory. */
function addressOf(text: string, cwd: string): string {
  const isAddress = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text) || /^[^/\s:@]+@[^/\s:]+:/.test(text);
  return isAddress ? text : resolve(cwd, text);
}

function nameOf(url: string): string {
  const last = withoutTrailing(url, "/").split(/[/:]/).at(-1) ?? "";
  const name = last.replace(/\.git$/, "");
  if (name !== "") return name;
  throw new Problem("usage", `${JSON.stringify(url)} gives the pipeline no name`, {
    remedy: "Give one with --name.",
  });
}

/** Makes what is not there yet; what fails half-way leaves nothing of it. */
async function register(
  context: CommandContext,
  client: Client,
  { url, ...args }: AddArguments & { readonly url: string },
  signal: AbortSignal,
) {
  const own = nameOf(url);
  const { project, made: madeProject } = await ensureProject(client, args.project ?? own);
  const undo: (() => Promise<unknown>)[] = madeProject ? [() => client.projects.remove(project.id)] : [];
  try {
    const { repository, made: madeRepository } = await ensureRepository(client, project, url, {
      ...(args.cloneSecret === undefined ? {} : { clone_secret: args.cloneSecret }),
      ...(args.cloneUsername === undefined ? {} : { clone_username: args.cloneUsername }),
    });
    if (madeRepository) undo.unshift(() => client.repositories.remove(repository.id));
    if (args.trust === "checked") await check(context, client, repository, signal);
    return { project, repository, pipeline: await ensurePipeline(client, repository, args.name ?? own) };
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

/** @throws Problem of the check, with the way around it */
async function check(
  context: CommandContext,
  client: Client,
  { id }: RepositoryDetail,
  signal: AbortSignal,
): Promise<void> {
  try {
    const waiting = { label: "reading the repository", asked: signal };
    const { pipeline_file_problem: problem } = await whileWaiting(context, waiting, () =>
      client.repositories.check(id, signal),
    );
    if (problem !== null) note(context, `no run can use the pipeline file yet: ${problem}`);
  } catch (error) {
    const { code, message, remedy, cause } = Problem.from(error);
    throw new Problem(code, `The repository was not registered: ${message}`, {
      remedy: `${remedy === undefined ? "" : `${remedy}\n  `}To register it all the same, add --no-check.`,
      cause,
    });
  }
}

async function ensureProject(client: Client, name: string) {
  const projects = await all((cursor) => client.projects.list({ limit: 200, cursor }));
  const there = projects.find((one) => one.name === name);
  return { project: there ?? (await client.projects.create({ name })), made: there === undefined };
}

async function ensureRepository(
  client: Client,
  project: ProjectDetail,
  url: string,
  credential: Pick<RepositoryChange, "clone_secret" | "clone_username">,
) {
  const project_id = project.id;
  const known = await all((cursor) => client.repositories.list({ project_id, limit: 200, cursor }));
  const same = (one: RepositoryDetail) => trimmed(one.clone_url) === trimmed(url);
  const there = known.find(same);
  if (there === undefined)
    return {
      repository: await client.repositories.create({ project_id, clone_url: url, ...credential }),
      made: true,
    };
  const isSame = Object.keys(credential).length === 0;
  return { repository: isSame ? there : await client.repositories.update(there.id, credential), made: false };
}

const trimmed = (url: string) => withoutTrailing(url, "/");

async function ensurePipeline(
  client: Client,
  repository: RepositoryDetail,
  name: string,
): Promise<PipelineDetail> {
  const repository_id = repository.id;
  const known = await all((cursor) => client.pipelines.list({ repository_id, limit: 200, cursor }));
  return known.find((one) => one.name === name) ?? (await client.pipelines.create({ repository_id, name }));
}

interface PageOf<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

export async function all<T>(
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
