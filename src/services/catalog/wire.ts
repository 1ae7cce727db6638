/** Wire data of what a team keeps: projects, repositories, pipelines, tokens, secrets, and who did what. */
import type { TriggerType, VcsProvider } from "../../store/index.ts";
import type { Scope } from "../auth/caller.ts";
import type { PageRequest } from "../runs/wire.ts";

export interface ProjectDetail {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface NewProjectRequest {
  /** The id that it gets; a fresh one by default. Asked twice with one id, it is made once. */
  readonly id?: string | undefined;
  readonly name: string;
  readonly description?: string | undefined;
}

export interface ProjectChange {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}

export interface RepositoryDetail {
  readonly id: string;
  readonly project_id: string;
  readonly vcs_provider: VcsProvider;
  /** Without credentials: those are secrets. */
  readonly clone_url: string;
  readonly default_branch: string | null;
  /** Name of the project's secret that git is given to read it; null: none, and what git has by itself holds. */
  readonly clone_secret: string | null;
  /** Null: what hosts of this kind take together with a token. */
  readonly clone_username: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface NewRepositoryRequest {
  readonly id?: string | undefined;
  readonly project_id: string;
  /** https, ssh, or what the server's configuration allows; a local path only for an admin on a loopback server. */
  readonly clone_url: string;
  readonly vcs_provider?: VcsProvider | undefined;
  readonly default_branch?: string | null | undefined;
  readonly clone_secret?: string | null | undefined;
  readonly clone_username?: string | null | undefined;
}

export interface RepositoryChange {
  readonly clone_url?: string | undefined;
  readonly vcs_provider?: VcsProvider | undefined;
  readonly default_branch?: string | null | undefined;
  readonly clone_secret?: string | null | undefined;
  readonly clone_username?: string | null | undefined;
}

export interface RepositoryFilter extends PageRequest {
  readonly project_id?: string | undefined;
}

export interface PipelineDetail {
  readonly id: string;
  readonly repository_id: string;
  readonly project_id: string;
  /** Names, so that a list can be read. */
  readonly project: string;
  readonly name: string;
  readonly clone_url: string;
  readonly trigger_type: TriggerType;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface NewPipelineRequest {
  readonly id?: string | undefined;
  readonly repository_id: string;
  readonly name: string;
  readonly trigger_type?: TriggerType | undefined;
}

export interface PipelineChange {
  readonly name?: string | undefined;
  readonly trigger_type?: TriggerType | undefined;
}

export interface PipelineFilter extends PageRequest {
  readonly project_id?: string | undefined;
  readonly repository_id?: string | undefined;
}

/** A token without its secret: that is shown once, when it is made. */
export interface TokenDetail {
  readonly id: string;
  readonly name: string;
  readonly scope: Scope;
  /** Null: all projects. */
  readonly project_id: string | null;
  /** Its name, so that a list can be read. */
  readonly project: string | null;
  readonly created_by: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

export interface NewTokenRequest {
  readonly id?: string | undefined;
  readonly name: string;
  readonly scope: Scope;
  readonly project_id?: string | null | undefined;
  /** RFC 3339; null or absent: it does not expire. */
  readonly expires_at?: string | null | undefined;
}

export interface TokenCreated extends TokenDetail {
  /** `shp_` and 43 characters; never shown again. */
  readonly token: string;
}

/** What a run of the repository would find now. */
export interface RepositoryCheck {
  readonly commit: string | null;
  /** The branch that a run takes by default, in full. */
  readonly ref: string | null;
  /** Why the pipeline file of that commit cannot be used; null: it can. */
  readonly pipeline_file_problem: string | null;
}

/** A secret without its value: that is shown to nobody. */
export interface SecretDetail {
  readonly project_id: string;
  readonly name: string;
  readonly created_by: string;
  readonly created_at: string;
  readonly updated_at: string;
}

/** As whom a project asks a registry. The password is the project's secret of that name. */
export interface RegistryLogin {
  readonly project_id: string;
  /** `host[:port]`, lower case; Docker Hub is `registry-1.docker.io`. */
  readonly host: string;
  readonly username: string;
  readonly secret: string;
  readonly created_by: string;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface NewRegistryLogin {
  readonly username: string;
  /** Name of the project's secret that is the password. */
  readonly secret: string;
}

/** The caller, with the scope and project of the token. */
export interface CallerDetail {
  /** The token's name, or the account at the server's own terminal. */
  readonly name: string;
  readonly scope: Scope;
  /** Null: all projects. */
  readonly project_id: string | null;
  readonly project: string | null;
  /** Null at the server's own terminal. */
  readonly token_id: string | null;
  /** Null: never. */
  readonly expires_at: string | null;
}

export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  /** The token's name, or the account at the server's own terminal. */
  readonly by: string;
  readonly token_id: string | null;
  /** `token.create`, `secret.put`, `run.cancel` … */
  readonly action: string;
  readonly project_id: string | null;
  readonly entity_id: string | null;
  readonly outcome: "done" | "refused" | "failed";
  readonly request_id: string | null;
}
