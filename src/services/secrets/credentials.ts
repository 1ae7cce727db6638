/** What opens a repository or a registry that is not public, out of the secrets of its project. */
import type { VcsProvider } from "../../domain/index.ts";
import { Problem, type RepositoryId, type RunId } from "../../kernel/index.ts";
import type { CloneCredential } from "../../source/index.ts";
import type { Store } from "../../store/index.ts";
import type { SecretKeys } from "./keys.ts";
import { openSealed, setCommand } from "./secrets.ts";

type Stored = Pick<Store, "secrets" | "projects" | "repositories" | "registryLogins">;

/** Which user name hosts take together with a token; Gitea and its kin take any. */
const tokenUser: Readonly<Record<VcsProvider, string>> = {
  git: "git",
  gitea: "git",
  forgejo: "git",
  github: "x-access-token",
  gitlab: "oauth2",
};

/** @throws Problem source_unavailable: there is none, or not yet; environment: it cannot be opened */
export async function openCloneCredential(
  store: Stored,
  keys: SecretKeys,
  id: RepositoryId,
): Promise<CloneCredential | null> {
  const repository = await store.repositories.get(id);
  const name = repository?.clone_secret ?? null;
  if (repository !== null && name === null && !repository.account_access) return null;
  if (repository === null || name === null)
    throw new Problem("source_unavailable", "the repository's clone credential was taken away", {
      remedy: "Run it again.",
    });
  const opened = await openSealed(keys, () => store.secrets.named(repository.project_id, [name]));
  const value = opened[name];
  if (value === undefined)
    throw new Problem(
      "source_unavailable",
      `the project has no secret ${name}, with which it is to be cloned`,
      {
        remedy: setCommand(name, (await store.projects.get(repository.project_id))?.name),
      },
    );
  return { name, username: repository.clone_username ?? tokenUser[repository.vcs_provider], value };
}

/**
 * `user:password` of the run's project for a registry, in base64; null: the project has no login for it.
 * @throws Problem environment: the secret of the login is not there, or cannot be opened
 */
export async function openRegistryLogin(
  store: Stored,
  keys: SecretKeys,
  { run, host }: { readonly run: RunId; readonly host: string },
): Promise<string | null> {
  const login = await store.registryLogins.ofRun(run, host);
  if (login === null) return null;
  const { secret: name, username } = login;
  const opened = await openSealed(keys, () => store.secrets.named(login.project_id, [name]));
  const value = opened[name];
  if (value === undefined)
    throw new Problem("environment", `the project has no secret ${name}, with which it logs in to ${host}`, {
      remedy: setCommand(name, (await store.projects.get(login.project_id))?.name),
    });
  return Buffer.from(`${username}:${value}`).toString("base64");
}
