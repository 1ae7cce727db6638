/** Logins of a project for the registries that its steps push to. The password is a secret of the project. */
import { registryHost } from "../../artifacts/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { RegistryClient } from "../client.ts";
import { type CallerContext, notThere, visibleProject } from "./catalog.ts";
import { checkSecretName } from "./names.ts";
import { presentRegistryLogin } from "./present.ts";

export function registryOperations({ deps, caller, authorize }: CallerContext): RegistryClient {
  return {
    put: (project, host, { username, secret }) =>
      authorize("registries.put", async (audit) => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        audit({ project: id, entity: null });
        const login = {
          project_id: id,
          host: registryHost(host),
          username: checkUsername(username),
          secret: checkSecretName(secret, "secret"),
          created_by: caller.name,
        };
        return presentRegistryLogin(await store.registryLogins.put(login, audit.done()));
      }),
    list: (project) =>
      authorize("registries.list", async () => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        return (await store.registryLogins.list(id)).map(presentRegistryLogin);
      }),
    remove: (project, host) =>
      authorize("registries.remove", async (audit) => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        audit({ project: id, entity: null });
        if (!(await store.registryLogins.remove(id, registryHost(host), audit.done())))
          throw notThere("login for the registry", host);
      }),
  };
}

/** Rejects colons, which end the name in the request (RFC 7617, section 2). */
function checkUsername(name: string): string {
  if (name !== "" && Buffer.byteLength(name) <= 256 && !/[:\p{Cc}]/u.test(name)) return name;
  throw new Problem("usage", `${JSON.stringify(name)} cannot be the user name of a login.`, {
    place: "username",
    remedy: "Give 1 to 256 bytes without a colon and without control characters.",
  });
}
