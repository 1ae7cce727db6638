/** Credentials for Git and registries: the project's if set, otherwise the server account's. */
import { join } from "node:path";
import { createRegistry, dockerCredentials, type Registry } from "../artifacts/index.ts";
import type { ServerConfig } from "../config/index.ts";
import { readCloneCredential, readRegistryLogin, type SecretKeys } from "../services/index.ts";
import type { SourceOptions } from "../source/index.ts";
import type { Store } from "../store/index.ts";

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
    of: async (repository) => await readCloneCredential((await database()).store, secretKeys, repository),
    directory: join(dataDir, "keys"),
  };
}

interface RegistryParts {
  readonly config: Pick<ServerConfig, "registry">;
  readonly store: Store;
  readonly secretKeys: SecretKeys;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

const registryTimeoutMs = 30_000;

export function openRegistry({ config, store, secretKeys, environment, home }: RegistryParts): Registry {
  const docker = dockerCredentials(environment.DOCKER_CONFIG ?? join(home, ".docker"));
  return createRegistry({
    plainHttp: config.registry.plainHttp,
    timeoutMs: registryTimeoutMs,
    credentials: async (host, run) =>
      (await readRegistryLogin(store, secretKeys, { run, host })) ?? (await docker(host)),
  });
}
