/** Credentials for private repositories and registries, from the secrets of their project. */
import type { VcsProvider } from "../../domain/index.ts";
import { Problem, type RepositoryId, type RunId } from "../../kernel/index.ts";
import type { CloneCredential } from "../../source/index.ts";
import type { Store } from "../../store/index.ts";
import type { SecretKeys } from "./keys.ts";
import { decryptNamed, setCommand } from "./secrets.ts";

type Stored = Pick<Store, "secrets" | "projects" | "repositories" | "registryLogins">;

/** The user name that goes with a token at each kind of host; Gitea and its kin accept any. */
const tokenUser: Readonly<Record<VcsProvider, string>> = {
  git: "git",
  gitea: "git",
  forgejo: "git",
  github: "x-access-token",
  gitlab: "oauth2",
};

/** @throws Problem source_unavailable: there is none, or not yet; environment: it cannot be decrypted */
export async function readCloneCredential(
  store: Stored,
  keys: SecretKeys,
  id: RepositoryId,
): Promise<CloneCredential | null> {
  const repository = await store.repositories.get(id);
  const name = repository?.clone_secret ?? null;
  if (repository !== null && name === null && !repository.account_access) return null;
  if (repository === null || name === null)
    throw new Problem("source_unavailable", "The repository's clone credential was removed.", {
      remedy: "Run it again.",
    });
  const opened = await decryptNamed(keys, () => store.secrets.named(repository.project_id, [name]));
  const value = opened[name];
  if (value === undefined)
    throw new Problem(
      "source_unavailable",
      `The project has no secret ${name}, which is its clone credential.`,
      {
        remedy: setCommand(name, (await store.projects.get(repository.project_id))?.name),
      },
    );
  return { name, username: repository.clone_username ?? tokenUser[repository.vcs_provider], value };
}

/**
 * `user:password` of the run's project for a registry, in base64; null: the project has no login for it.
 * @throws Problem environment: the secret of the login is missing, or cannot be decrypted
 */
export async function readRegistryLogin(
  store: Stored,
  keys: SecretKeys,
  { run, host }: { readonly run: RunId; readonly host: string },
): Promise<string | null> {
  const login = await store.registryLogins.ofRun(run, host);
  if (login === null) return null;
  const { secret: name, username } = login;
  const opened = await decryptNamed(keys, () => store.secrets.named(login.project_id, [name]));
  const value = opened[name];
  if (value === undefined)
    throw new Problem("environment", `The project has no secret ${name}, which is its login for ${host}.`, {
      remedy: setCommand(name, (await store.projects.get(login.project_id))?.name),
    });
  return Buffer.from(`${username}:${value}`).toString("base64");
}
