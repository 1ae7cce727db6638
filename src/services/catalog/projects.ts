/** Operations on projects for one caller. Projects that the caller cannot see do not exist for them. */
import { brandId, isId, newId, Problem, type ProjectId, shellWord } from "../../kernel/index.ts";
import type { ProjectContents, ProjectRow, Store } from "../../store/index.ts";
import { type Caller, sees } from "../auth/caller.ts";
import type { ProjectClient } from "../client.ts";
import { type CallerContext, notThere, present } from "./catalog.ts";
import { checkId, checkName, checkText } from "./names.ts";
import { presentProject } from "./present.ts";

export function projectOperations({ deps, caller, authorize }: CallerContext): ProjectClient {
  return {
    create: ({ id = newId<ProjectId>(), name, description = "" }) =>
      authorize("projects.create", async (audit) => {
        const { store } = await deps.database();
        const given = checkId<ProjectId>(id);
        audit({ project: given, entity: given });
        const project = {
          id: given,
          name: checkName(name, "name"),
          description: checkText(description, "description"),
        };
        return presentProject(await store.projects.create(project, audit.done()));
      }),
    get: (reference) =>
      authorize("projects.get", async () =>
        presentProject(await findProject((await deps.database()).store, caller, reference)),
      ),
    list: (page) =>
      authorize("projects.list", async () => {
        const { store } = await deps.database();
        const filter = caller.project === null ? {} : { id: caller.project };
        return present(await store.projects.list(filter, page), presentProject);
      }),
    update: (reference, { name, description }) =>
      authorize("projects.update", async (audit) => {
        const { store } = await deps.database();
        const { id: found } = await findProject(store, caller, reference);
        audit({ project: found, entity: found });
        const change = {
          ...(name === undefined ? {} : { name: checkName(name, "name") }),
          ...(description === undefined ? {} : { description: checkText(description, "description") }),
        };
        const row = await store.projects.update(found, change, audit.done());
        if (row === null) throw notThere("project", reference);
        return presentProject(row);
      }),
    remove: (reference, contents = "refuse") =>
      authorize("projects.remove", async (audit) => {
        const { store } = await deps.database();
        const { id, name } = await findProject(store, caller, reference);
        audit({ project: id, entity: id });
        const removal = await store.projects.remove(id, contents, audit.done());
        if (removal === "absent") throw notThere("project", reference);
        if (removal !== "removed") throw notEmpty({ id, name }, removal.contents);
      }),
  };
}

/** Finds a project by id or name. @throws Problem not_found */
async function findProject(store: Store, caller: Caller, reference: string) {
  const byId = isId(reference) ? await store.projects.get(brandId<ProjectId>(reference)) : null;
  const found = byId ?? (await store.projects.named(reference));
  if (found === null || found.archived_at !== null || !sees(caller, found.id))
    throw notThere("project", reference);
  return found;
}

function notEmpty({ id, name }: Pick<ProjectRow, "id" | "name">, contents: ProjectContents): Problem {
  const { pipelines, repositories, secrets, registry_logins, tokens } = contents;
  const inside = [
    named("pipeline", pipelines),
    named("repository", repositories),
    counted("secret", secrets),
    counted("registry login", registry_logins),
    counted("token", tokens),
  ].filter((one) => one !== null);
  // The command would read a name that begins with a dash as an option.
  const word = name.startsWith("-") ? id : shellWord(name);
  return new Problem("conflict", `The project ${name} is not empty: it has ${inside.join(", ")}.`, {
    remedy: `Remove its contents first. Or remove it with all contents (force=true in the API): shipinator project remove ${word} --force`,
    details: contents,
  });
}

const maxNames = 5;

/** Text such as `2 pipelines (api, web)`. Null for none. */
function named(noun: string, names: readonly string[]): string | null {
  const more = names.length > maxNames ? ", …" : "";
  const amount = counted(noun, names.length);
  return amount === null ? null : `${amount} (${names.slice(0, maxNames).join(", ")}${more})`;
}

function counted(noun: string, amount: number): string | null {
  if (amount <= 1) return amount === 0 ? null : `1 ${noun}`;
  return `${amount} ${noun.replace(/y$/, "ie")}s`;
}
