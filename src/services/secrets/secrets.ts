/** Secrets of projects: written, named, removed, and given to the steps that name them; never read by anybody else. */
import type { ExecutionSpec } from "../../domain/index.ts";
import { Problem, shellWord } from "../../kernel/index.ts";
import type { EncryptedSecret, Store } from "../../store/index.ts";
import { type CallerContext, notThere, visibleProject } from "../catalog/catalog.ts";
import { checkSecretName } from "../catalog/names.ts";
import { presentSecret } from "../catalog/present.ts";
import type { SecretClient } from "../client.ts";
import { decrypt, encrypt, keyId } from "./encryption.ts";
import type { SecretKeys } from "./keys.ts";

/** In bytes. What is shorter could not be masked in a log without masking half of it. */
const shortest = 4;
const longest = 32_768;

export function secretOperations({ deps, caller, authorize }: CallerContext): SecretClient {
  const keys = deps.secretKeys;
  return {
    put: (project, name, value) =>
      authorize("secrets.put", async (audit) => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        audit({ project: id, entity: null });
        checkSecretName(name, "name");
        checkValue(name, value);
        const place = { project_id: id, name };
        const secret = {
          ...place,
          created_by: caller.name,
          encrypt: () => encrypt(keys.ensure(), place, value),
        };
        return presentSecret(await store.secrets.put(secret, audit.done()));
      }),
    list: (project) =>
      authorize("secrets.list", async () => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        return (await store.secrets.list(id)).map(presentSecret);
      }),
    remove: (project, name) =>
      authorize("secrets.remove", async (audit) => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        audit({ project: id, entity: null });
        if (!(await store.secrets.remove(id, name, audit.done()))) throw notThere("secret", name);
      }),
    rotate: () =>
      authorize("secrets.rotate", async () => {
        const { store } = await deps.database();
        const reencrypted = await store.secrets.alone(async (all) => {
          const ring = keys.renew();
          const [first] = ring;
          const others = first === undefined ? [] : await all.encryptedOtherwise(keyId(first));
          for (const one of others)
            await all.reencrypt({ ...encrypt(ring, one, decrypt(ring, one)), retired: one.retired });
          return others.filter(({ retired }) => retired === null).length;
        });
        // Not before that is committed; by who comes later, where this process ends in between.
        await store.secrets.alone(async (all) => keys.prune(new Set(await all.keysInUse())));
        return { reencrypted };
      }),
  };
}

/**
 * The values of the secrets that a step names, by name; and all that steps of its run can have been given, for its log.
 * @throws Problem executor_failed: the run's project has no such secret; environment: one cannot be opened
 */
export async function decryptSecrets(
  store: Pick<Store, "secrets" | "runs">,
  keys: SecretKeys,
  { job, secrets: names }: Pick<ExecutionSpec, "job" | "secrets">,
): Promise<{ readonly variables: Readonly<Record<string, string>>; readonly masked: readonly string[] }> {
  const values = await decryptAll(keys, () =>
    store.secrets.ofRun(job.runId, secretNames({ job, secrets: names })),
  );
  const present = new Map(
    values.flatMap(({ secret, value }) => (secret.retired === null ? [[secret.name, value]] : [])),
  );
  const absent = names.find((name) => !present.has(name));
  if (absent === undefined) {
    const variables = Object.fromEntries(names.map((name) => [name, present.get(name) ?? ""]));
    return { variables, masked: distinct(values) };
  }
  throw new Problem("executor_failed", `The project has no secret ${absent}.`, {
    remedy: setCommand(absent, (await store.runs.get(job.runId))?.project),
  });
}

/** The remedy for a secret that is not there. */
export function setCommand(name: string, project: string | undefined): string {
  const option = project === undefined ? "" : ` --project ${shellWord(project)}`;
  return `Set it: shipinator secret set ${name}${option}`;
}

/** All values that steps of its run can have been given. @throws Problem environment: one cannot be opened */
export async function maskedValues(
  store: Pick<Store, "secrets">,
  keys: SecretKeys,
  spec: Pick<ExecutionSpec, "job" | "secrets">,
): Promise<readonly string[]> {
  return distinct(await decryptAll(keys, () => store.secrets.ofRun(spec.job.runId, secretNames(spec))));
}

/** Names of the secrets of the step and of its run. */
export const secretNames = ({ job, secrets }: Pick<ExecutionSpec, "job" | "secrets">): readonly string[] => [
  ...new Set([...secrets, ...(job.runSecrets ?? [])]),
];

const distinct = (values: readonly { readonly value: string }[]): readonly string[] => [
  ...new Set(values.map(({ value }) => value)),
];

/** By name. @throws Problem environment: one of them cannot be decrypted */
export async function decryptNamed(
  keys: SecretKeys,
  read: () => Promise<readonly EncryptedSecret[]>,
): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries((await decryptAll(keys, read)).map(({ secret, value }) => [secret.name, value]));
}

async function decryptAll<T extends EncryptedSecret>(
  keys: SecretKeys,
  read: () => Promise<readonly T[]>,
): Promise<readonly { readonly secret: T; readonly value: string }[]> {
  const once = async () => {
    const all = await read();
    const ring = keys.present();
    return all.map((secret) => ({ secret, value: decrypt(ring, secret) }));
  };
  // A change of keys may have come between the two looks: then both are another a moment later.
  return await once().catch(once);
}

function checkValue(name: string, value: string): void {
  const bytes = Buffer.byteLength(value);
  const fault =
    bytes < shortest
      ? `has ${bytes} bytes, and fewer than ${shortest} cannot be masked in logs`
      : bytes > longest
        ? `has ${bytes} bytes, and more than ${longest} are not kept`
        : /[\0\ud800-\udfff]/u.test(value)
          ? "holds a character that no variable can carry"
          : null;
  if (fault !== null) throw new Problem("usage", `The value of ${name} ${fault}.`, { place: "value" });
}
