/**
 * Every operation of Shipinator as one interface. The embedded application implements it, and so does HTTP. Errors are
 * `Problem`s.
 */
import type {
  ArtifactDetail,
  AuditEntry,
  CallerDetail,
  DeploymentDetail,
  LogTime,
  NewPipeline,
  NewProject,
  NewRegistryLogin,
  NewRepository,
  NewToken,
  Page,
  PageRequest,
  PipelineChange,
  PipelineDetail,
  PipelineFilter,
  ProjectChange,
  ProjectDetail,
  RegistryLogin,
  RepositoryChange,
  RepositoryCheck,
  RepositoryDetail,
  RepositoryFilter,
  RunDetail,
  RunEvent,
  RunFilter,
  RunSummary,
  RunWhy,
  SecretDetail,
  TokenCreated,
  TokenDetail,
} from "../contract/index.ts";
import type { JobType } from "../domain/index.ts";

/** The id of what is made; a new one by default. The same id twice makes one thing. */
export interface GivenId {
  readonly id?: string | undefined;
}

export interface TriggerRequest extends GivenId {
  /** A directory on this machine (`run PATH`), or a repository's address. */
  readonly source:
    | { readonly kind: "directory"; readonly path: string; readonly ref: string | null }
    | { readonly kind: "repository"; readonly url: string; readonly ref: string | null }
    | {
        /** A registered pipeline: accepted at once, resolved afterwards (`validate: "now"`: before it is accepted). */
        readonly kind: "pipeline";
        /** Its id, or `[PROJECT/]PIPELINE` where that is unique for the caller. */
        readonly pipeline: string;
        /** Null: the default branch. */
        readonly ref: string | null;
        /** Full commit id; `ref` is then its label. */
        readonly sha: string | null;
        readonly validate: "now" | "later";
      };
  /** Null: every stage that the file has. */
  readonly only: readonly JobType[] | null;
  /** Login name, recorded. */
  readonly by: string;
  /** Absent: `api` for a token, `manual` at the server's own terminal. */
  readonly cause?: "manual" | "api" | undefined;
}

export interface RunAccepted {
  readonly run: RunDetail;
  /** Notes for a person: a dirty tree, an ignored `image`, unfetched submodules. */
  readonly notes: readonly string[];
}

/** A run without its jobs, and the `seq` of its last transition. */
export interface RunHead extends RunSummary {
  readonly seq: number;
}

export interface LogRequest {
  readonly executionId: string;
  readonly offset: number;
  /** Go on until the execution has ended. */
  readonly follow: boolean;
}

export interface LogInfo {
  readonly bytes: number;
  /** Bytes over the cap that were not kept; null while it is written. */
  readonly dropped: number | null;
  readonly state: "open" | "ended";
  /** The executor wrote more, or other bytes, than have come from it. */
  readonly log_incomplete: boolean;
}

/** A log's next bytes as the step wrote them, and their offset. */
export interface LogChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface RetryRequest extends GivenId {
  readonly run: string;
  /** `failed`: what has succeeded is not run again, its artifacts are taken over. Absent: `whole`. */
  readonly what?: "whole" | "failed" | undefined;
  readonly by: string;
}

/** Bytes from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Lists are newest first, but for names, which are in their order. `remove` of a repository with pipelines is a `conflict`. */
export interface ProjectClient {
  create(project: NewProject & GivenId): Promise<ProjectDetail>;
  /** `reference`, here and below: an id or a name. */
  get(reference: string): Promise<ProjectDetail>;
  list(page: PageRequest): Promise<Page<ProjectDetail>>;
  update(reference: string, change: ProjectChange): Promise<ProjectDetail>;
  /**
   * `contents`: what becomes of a project that is not empty; by default it is refused. Removed with its contents, its
   * secrets, registry logins and tokens are gone at once, and its runs stay until retention deletes them.
   * @throws Problem conflict: it is not empty (`details` says what is in it), or has runs that are not over
   */
  remove(reference: string, contents?: "refuse" | "remove"): Promise<void>;
}

export interface RepositoryClient {
  create(repository: NewRepository & GivenId): Promise<RepositoryDetail>;
  get(id: string): Promise<RepositoryDetail>;
  list(filter: RepositoryFilter): Promise<Page<RepositoryDetail>>;
  update(id: string, change: RepositoryChange): Promise<RepositoryDetail>;
  remove(id: string): Promise<void>;
  /**
   * Reads the default branch and its pipeline file as a run would, and makes no run.
   * @throws Problem source_refused, source_unavailable, ref_not_found: no run could use the repository
   */
  check(id: string, signal: AbortSignal): Promise<RepositoryCheck>;
}

export interface PipelineClient {
  create(pipeline: NewPipeline & GivenId): Promise<PipelineDetail>;
  /** By id, or as `[PROJECT/]PIPELINE` where that is unique for the caller. */
  get(reference: string): Promise<PipelineDetail>;
  list(filter: PipelineFilter): Promise<Page<PipelineDetail>>;
  update(reference: string, change: PipelineChange): Promise<PipelineDetail>;
  /**
   * It leaves the lists, takes no runs and gives its name up. Its runs stay until retention deletes them.
   * @throws Problem conflict: it has runs that are not over
   */
  remove(reference: string): Promise<void>;
}

export interface TokenClient {
  create(token: NewToken & GivenId): Promise<TokenCreated>;
  list(page: PageRequest): Promise<Page<TokenDetail>>;
  /** At once, for every server; again is fine. */
  revoke(id: string): Promise<TokenDetail>;
}

/** Secrets of a project. Steps that name one get its value; nobody reads a value back. */
export interface SecretClient {
  /** Makes it, or replaces what was there. `project`: its id. */
  put(project: string, name: string, value: string): Promise<SecretDetail>;
  /** By name. */
  list(project: string): Promise<readonly SecretDetail[]>;
  remove(project: string, name: string): Promise<void>;
  /** Seals everything with a new key. */
  rotate(): Promise<{ readonly reencrypted: number }>;
}

/** Logins of a project for registries that are not public. */
export interface RegistryClient {
  /** Makes it, or replaces what was there for that host. `project`: its id; `host`: `host[:port]`. */
  put(project: string, host: string, login: NewRegistryLogin): Promise<RegistryLogin>;
  /** By host. */
  list(project: string): Promise<readonly RegistryLogin[]>;
  remove(project: string, host: string): Promise<void>;
}

export interface Client {
  readonly projects: ProjectClient;
  readonly repositories: RepositoryClient;
  readonly pipelines: PipelineClient;
  readonly tokens: TokenClient;
  readonly secrets: SecretClient;
  readonly registries: RegistryClient;
  audit(page: PageRequest): Promise<Page<AuditEntry>>;
  whoami(): Promise<CallerDetail>;
  /** Validates, accepts and starts a run. What is found before acceptance is a Problem and makes no run. */
  trigger(request: TriggerRequest, signal: AbortSignal): Promise<RunAccepted>;
  list(filter: RunFilter): Promise<Page<RunSummary>>;
  /** `run`: a number, `[PROJECT/]PIPELINE#NUMBER`, an id or a unique prefix of one, or `latest`. */
  get(run: string): Promise<RunDetail>;
  /** The run without its jobs: what it costs does not grow with its steps. */
  head(run: string): Promise<RunHead>;
  /** Transitions after `seq`, then live ones until the run is final or the signal aborts. */
  events(runId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<RunEvent>;
  /** The same in pieces of about 64 KiB; all who follow one run are given the same lists. */
  eventPieces(runId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<readonly RunEvent[]>;
  log(request: LogRequest, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** Returns the size of an execution's log, and whether more may come. */
  logInfo(executionId: string): Promise<LogInfo>;
  /**
   * Returns the times, to about a second, by which the log's bytes before each offset were written. The last one of a
   * complete log covers all of it.
   */
  logTimes(executionId: string): Promise<readonly LogTime[]>;
  /** The newest attempt at a step. @throws Problem not_found: no such step, or it was never attempted */
  executionOf(stepId: string): Promise<string>;
  /** The last lines of an execution's log, undecoded. */
  logTail(executionId: string, lines: number): Promise<Uint8Array>;
  /**
   * A new run of the same commit, tree and file.
   * @throws Problem conflict: it is not over, or nothing of it failed; gone: what would be taken over has expired
   */
  retry(request: RetryRequest): Promise<RunAccepted>;
  why(run: string): Promise<RunWhy>;
  cancel(runId: string, by: string): Promise<"requested" | "already" | "final">;
  /** After a cancel: what is still in its grace is killed. Resolves when that is recorded. */
  force(runId: string): Promise<void>;
  /** By id or unique prefix, or `RUN/NAME`. */
  artifact(reference: string): Promise<ArtifactDetail>;
  /** The payload, verified while it streams: wrong bytes end in a Problem before the last chunk. */
  download(artifactId: string, signal: AbortSignal, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Newest first. */
  deployments(page: PageRequest): Promise<Page<DeploymentDetail>>;
  /**
   * Settles a deployment whose outcome is unknown; its run stays as it ended. `deployment`: an id or a unique prefix.
   * @throws Problem conflict where the outcome is known
   */
  resolveDeployment(
    deployment: string,
    outcome: "succeeded" | "failed",
    by: string,
  ): Promise<DeploymentDetail>;
  /** Runs on this data directory that are not final and that nobody carries. */
  abandoned(): Promise<readonly RunSummary[]>;
  /** Takes an abandoned run over and carries it to its end; follow it by `events`. */
  resume(runId: string): Promise<void>;
}
