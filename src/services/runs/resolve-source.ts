/** From what was asked for to one tree in a mirror: a directory, an address, or a registered pipeline's repository. */
import { basename, isAbsolute, resolve as resolvePath } from "node:path";
import { mirrorName } from "../../domain/index.ts";
import { type RepositoryId, withoutTrailing } from "../../kernel/index.ts";
import { checkRef, checkUrl, type WorkingTree } from "../../source/index.ts";
import type { TriggerRequest } from "../client.ts";
import type { ServiceDeps } from "../deps.ts";

/** The origin of a run's tree. `mirror` names the bare repository that holds it. */
export interface ResolvedSource {
  readonly mirror: string;
  readonly cloneUrl: string;
  readonly commit: string | null;
  readonly tree: string;
  readonly ref: string | null;
  readonly branch: string | null;
  readonly tag: string | null;
  readonly dirty: boolean;
  readonly subpath: string | null;
  readonly project: string;
  readonly pipeline: string;
  readonly defaultBranch: string | null;
  /** The expected path of the pipeline file, for messages. */
  readonly place: string;
  readonly notes: readonly string[];
  /** Known of a directory only; of an address the checkout says it. */
  readonly submodules: boolean;
}

export async function resolveSource(
  deps: ServiceDeps,
  asked: Exclude<TriggerRequest["source"], { kind: "pipeline" }>,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  return asked.kind === "directory"
    ? resolveDirectory(deps, asked, signal)
    : resolveRepository(deps, asked, signal);
}

async function resolveDirectory(
  deps: ServiceDeps,
  asked: Extract<TriggerRequest["source"], { kind: "directory" }>,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const directory = resolvePath(asked.path);
  const mirror = mirrorName(directory, null);
  const found =
    asked.ref === null
      ? await deps.source.snapshotWorkingTree(
          { repositoryId: mirror, directory, exclude: [deps.dataDirectory] },
          signal,
        )
      : await deps.source.snapshotCommit(
          { repositoryId: mirror, directory, ref: checkRef(asked.ref) },
          signal,
        );
  const name = basename(directory) || "root";
  return {
    ...found,
    mirror,
    cloneUrl: directory,
    project: name,
    pipeline: name,
    defaultBranch: null,
    place: asked.ref === null ? directory : `${directory} at ${asked.ref}`,
    notes: [...workingTreeNotes(found), ...historyNotes(found)],
  };
}

async function resolveRepository(
  deps: ServiceDeps,
  asked: Extract<TriggerRequest["source"], { kind: "repository" }>,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const cloneUrl = checkUrl(asked.url, deps.urlPolicy);
  const ref = asked.ref === null ? null : checkRef(asked.ref);
  const mirror = mirrorName(cloneUrl, null);
  const found = await deps.source.resolve({ repositoryId: mirror, cloneUrl, ref }, signal);
  const name = repositoryName(cloneUrl);
  return {
    ...found,
    mirror,
    cloneUrl,
    dirty: false,
    subpath: null,
    project: name,
    pipeline: name,
    place: `${cloneUrl} at ${found.commit.slice(0, 12)}`,
    notes: historyNotes(found),
    submodules: false,
  };
}

function historyNotes({ cut }: Pick<WorkingTree, "cut">): string[] {
  if (!cut) return [];
  return [
    "the repository has only a part of the commit's history, so git describe and log see no more (git fetch --unshallow brings the rest)",
  ];
}

function workingTreeNotes({ nested, ...found }: Pick<WorkingTree, "dirty" | "commit" | "nested">): string[] {
  const notes: string[] = [];
  if (found.commit === null)
    notes.push("there is no commit, so the files travel as they are and git_sha is null");
  else if (found.dirty)
    notes.push(
      `the working tree differs from ${found.commit.slice(0, 12)}: what runs is the files as they are (use --ref to run a commit)`,
    );
  const [first] = nested;
  if (first !== undefined)
    notes.push(
      `${nested.length === 1 ? `${first} is a repository of its own` : `${first} and ${nested.length - 1} more are repositories of their own`} that git does not track here: no file of it travels (make it a submodule, or remove its .git)`,
    );
  return notes;
}

export interface PipelineSource {
  readonly name: string;
  readonly project: string;
  readonly cloneUrl: string;
  /** The repository, where it has a clone credential of its own. */
  readonly credential: RepositoryId | null;
  /** The registered default branch; null: the repository's own. */
  readonly defaultBranch: string | null;
}

/** The stored facts of a pipeline and its repository. */
interface StoredSource {
  readonly project: string;
  readonly repository_id: RepositoryId;
  readonly clone_url: string;
  readonly clone_secret: string | null;
  readonly account_access: boolean;
  readonly default_branch: string | null;
}

export function pipelineSourceOf(name: string, row: StoredSource): PipelineSource {
  return {
    name,
    project: row.project,
    cloneUrl: row.clone_url,
    credential: row.clone_secret === null && row.account_access ? null : row.repository_id,
    defaultBranch: row.default_branch,
  };
}

/** A registered pipeline's repository; a local one is read as it is committed, never as it lies on the disk. */
export async function resolvePipelineSource(
  deps: Pick<ServiceDeps, "source" | "urlPolicy">,
  pipeline: PipelineSource,
  asked: { readonly ref: string | null; readonly sha: string | null },
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const { cloneUrl, credential, defaultBranch } = pipeline;
  const mirror = mirrorName(cloneUrl, credential);
  const { sha } = asked;
  // A commit needs no branch, and is called by none that nobody named.
  const named = asked.ref ?? (sha === null && defaultBranch !== null ? fullName(defaultBranch) : null);
  const ref = named === null ? null : checkRef(named);
  const names = { mirror, cloneUrl, subpath: null, project: pipeline.project, pipeline: pipeline.name };
  const kept = { dirty: false, defaultBranch, notes: [] };
  if (isAbsolute(cloneUrl)) {
    const at = { repositoryId: mirror, directory: cloneUrl, ref: sha ?? ref ?? "HEAD" };
    const found = await deps.source.snapshotCommit(at, signal);
    const label = sha === null ? {} : labelOf(ref);
    return { ...found, ...label, ...names, ...kept, place: `${cloneUrl} at ${at.ref}` };
  }
  const commit = sha === null ? {} : { sha };
  const address = { cloneUrl: checkUrl(cloneUrl, deps.urlPolicy), credential };
  const request = { repositoryId: mirror, ...address, ref, ...commit };
  const found = await deps.source.resolve(request, signal);
  const place = `${cloneUrl} at ${found.commit.slice(0, 12)}`;
  return { ...found, ...names, ...kept, submodules: false, place };
}

const fullName = (branch: string) => (branch.startsWith("refs/") ? branch : `refs/heads/${branch}`);

/** Derives ref, branch and tag from a full ref name. */
function labelOf(ref: string | null) {
  const named = (prefix: string) => (ref?.startsWith(prefix) === true ? ref.slice(prefix.length) : null);
  return {
    ref: ref?.startsWith("refs/") === true ? ref : null,
    branch: named("refs/heads/"),
    tag: named("refs/tags/"),
  };
}

function repositoryName(url: string): string {
  const last =
    withoutTrailing(url, "/\\")
      .split(/[/:\\]/)
      .at(-1) ?? "";
  return last.replace(/\.git$/, "") || "repository";
}
