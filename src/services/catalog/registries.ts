/** As whom a project asks the registries that its steps push to. The password stays a secret of the project. */
import { registryHost } from "../../artifacts/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { RegistryClient } from "../client.ts";
import { type CallerContext, notThere, visibleProject } from "./catalog.ts";
import { checkSecretName } from "./names.ts";
import { presentRegistryLogin } from "./present.ts";

export function registryOperations({ deps, caller, guard }: CallerContext): RegistryClient {
  return {
    put: (project, host, { username, secret }) =>
      guard("registries.put", async (tell) => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        tell({ project: id, entity: null });
        const login = {
          project_id: id,
          host: registryHost(host),
          username: checkUsername(username),
          secret: checkSecretName(secret, "secret"),
          created_by: caller.name,
        };
        return presentRegistryLogin(await store.registryLogins.put(login, tell.done()));
      }),
    list: (project) =>
      guard("registries.list", async () => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        return (await store.registryLogins.list(id)).map(presentRegistryLogin);
      }),
    remove: (project, host) =>
      guard("registries.remove", async (tell) => {
        const { store } = await deps.database();
        const { id } = await visibleProject(store, caller, project);
        tell({ project: id, entity: null });
        if (!(await store.registryLogins.remove(id, registryHost(host), tell.done())))
          throw notThere("login for the registry", host);
      }),
  };
}

/** A colon ends the name where it is sent (RFC 7617, section 2). */
function checkUsername(name: string): string {
  if (name !== "" && Buffer.byteLength(name) <= 256 && !/[:\p{Cc}]/u.test(name)) return name;
  throw new Problem("usage", `${JSON.stringify(name)} cannot be the user name of a login`, {
    place: "username",
    remedy: "Give 1 to 256 bytes without a colon and without control characters.",
  });
}
