/** Operations on tokens. The secret of a token is shown once, when it is created. */
import { brandId, isId, newId, Problem, type TokenId } from "../../kernel/index.ts";
import { type CallerContext, notThere, ownProject, present, visibleProject } from "../catalog/catalog.ts";
import { checkId, checkName } from "../catalog/names.ts";
import { presentToken } from "../catalog/present.ts";
import type { TokenClient } from "../client.ts";
import { type Caller, includes, sees } from "./caller.ts";
import { hashSecret, newSecret } from "./token-secret.ts";

export function tokenOperations({ deps, caller, authorize }: CallerContext): TokenClient {
  return {
    create: ({ id = newId<TokenId>(), name, scope, project_id = null, expires_at = null }) =>
      authorize("tokens.create", async (audit) => {
        const { store } = await deps.database();
        const project = project_id === null ? null : (await visibleProject(store, caller, project_id)).id;
        audit({ project, entity: id });
        if (caller.project !== null && project === null)
          throw new Problem("forbidden", "A token for one project can only create tokens for that project.", {
            place: "project_id",
            remedy: `Give project_id ${caller.project}.`,
          });
        if (!includes(caller.scope, scope))
          throw new Problem("forbidden", "A token cannot create one with more rights than its own.", {
            place: "scope",
          });
        const secret = newSecret();
        const token = {
          id: checkId<TokenId>(id),
          name: checkName(name, "name"),
          hash: hashSecret(secret),
          scope,
          projectId: project,
          createdBy: caller.name,
          expiresAt: expires_at === null ? null : futureTime(expires_at, deps.clock.now()),
        };
        const row = await store.tokens.create(token, audit.done());
        return { ...presentToken(row), token: secret };
      }),
    list: (page) =>
      authorize("tokens.list", async () => {
        const { store } = await deps.database();
        return present(await store.tokens.list(ownProject(caller), page), presentToken);
      }),
    revoke: (id) =>
      authorize("tokens.revoke", async (audit) => {
        const { store } = await deps.database();
        const found = isId(id) ? await store.tokens.get(brandId<TokenId>(id)) : null;
        const visible = found !== null && (caller.project === null || isOf(caller, found));
        audit({ project: visible ? found.project_id : null, entity: id });
        const row = visible ? await store.tokens.revoke(found.id, audit.done()) : null;
        if (row === null) throw notThere("token", id);
        return presentToken(row);
      }),
  };
}

function isOf(caller: Caller, { project_id }: { project_id: Caller["project"] }): boolean {
  return project_id !== null && sees(caller, project_id);
}

/** RFC 3339. `Date` alone accepts "2030" and "9999999999", too. */
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function futureTime(text: string, now: Date): Date {
  const time = new Date(text);
  if (rfc3339.test(text) && time > now) return time;
  throw new Problem("usage", `expires_at must be a time in the future, not ${JSON.stringify(text)}.`, {
    place: "expires_at",
    remedy: 'Give it as RFC 3339, such as "2030-01-31T12:00:00Z".',
  });
}
