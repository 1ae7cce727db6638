/** As whom repositories and registries are asked: as the project, where it says so, else as the account that runs this. */
import { join } from "node:path";
import { dockerCredentials, type RegistryOptions } from "./artifacts/index.ts";
import { openCloneCredential, openRegistryLogin, type SecretKeys } from "./operations/index.ts";
import type { SourceOptions } from "./source/index.ts";
import type { Store } from "./store/index.ts";

interface CloneParts {
  readonly database: () => Promise<{ readonly store: Store }>;
  readonly secretKeys: SecretKeys;
  readonly dataDir: string;
}

export function cloneCredentials({
  database,
  secretKeys,
  dataDir,
}: CloneParts): NonNullable<SourceOptions["credentials"]> {
  return {
    of: async (repository) => await openCloneCredential((await database()).store, secretKeys, repository),
    directory: join(dataDir, "keys"),
  };
}

interface RegistryParts {
  readonly store: Store;
  readonly secretKeys: SecretKeys;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

export function registryCredentials({
  store,
  secretKeys,
  environment,
  home,
}: RegistryParts): RegistryOptions["credentials"] {
  const docker = dockerCredentials(environment.DOCKER_CONFIG ?? join(home, ".docker"));
  return async (host, run) =>
    (await openRegistryLogin(store, secretKeys, { run, host })) ?? (await docker(host));
}
