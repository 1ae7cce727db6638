/** Projects: the name that a team knows its repositories by. */
import { newId, Problem, type ProjectId } from "../../kernel/index.ts";
import { type NewAuditEntry, withAudit } from "../access/audit.ts";
import type { Database } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { refuseUnstorable } from "../db/text.ts";
import { taken, uniquely } from "../db/unique.ts";
import type { ProjectRow } from "../rows.ts";
import { type ProjectRemoval, removeProject } from "./removal.ts";

export interface ProjectStore {
  /** The project of that name, made at its first use; safe when several processes ask at once. */
  ensure(name: string): Promise<ProjectRow>;
  /**
   * Creates it, or returns what exists with that id and the same data.
   * @throws Problem conflict: the name is taken, or the id by other data
   */
  create(project: NewProject, audit?: NewAuditEntry): Promise<ProjectRow>;
  /** Changes the given fields; a field that is absent keeps its value. Null: no such project. @throws Problem conflict */
  update(
    id: ProjectId,
    change: Partial<Omit<NewProject, "id">>,
    audit?: NewAuditEntry,
  ): Promise<ProjectRow | null>;
  /** See `removeProject`. @throws Problem conflict */
  remove(id: ProjectId, contents: "refuse" | "remove", audit?: NewAuditEntry): Promise<ProjectRemoval>;
  /** Null: no such project, or it was removed. */
  get(id: ProjectId): Promise<ProjectRow | null>;
  /** Also one that was removed, by the name that it has since. */
  named(name: string): Promise<ProjectRow | null>;
  /** Without those that were removed. */
  list(filter?: { readonly id?: ProjectId }, page?: PageRequest): Promise<Page<ProjectRow>>;
}

export interface NewProject {
  readonly id: ProjectId;
  readonly name: string;
  readonly description: string;
}

const columns = "row.id, row.name, row.description, row.archived_at, row.created_at, row.updated_at";

export function createProjectStore(database: Database): ProjectStore {
  const named = async (name: string) =>
    (
      await database.query<ProjectRow>(`select ${columns} from projects row where row.name = $1::text`, [
        name,
      ])
    )[0] ?? null;
  return {
    async ensure(name) {
      refuseUnstorable(name, "project");
      const known = await named(name);
      if (known !== null) return known;
      const made = await database.query<ProjectRow>(
        `insert into projects as row (id, name)
         values ($1::uuid, $2::text)
         on conflict (name) do nothing
         returning ${columns}`,
        [newId<ProjectId>(), name],
      );
      return made[0] ?? (await named(name)) ?? vanished("project", name);
    },
    async create({ id, name, description }, audit) {
      refuseUnstorable(name, "name");
      refuseUnstorable(description, "description");
      const inserting = withAudit(database, audit, async (queryable) => {
        const [made] = await queryable.query<ProjectRow>(
          `insert into projects as row (id, name, description)
           values ($1::uuid, $2::text, $3::text)
           on conflict (id) do nothing
           returning ${columns}`,
          [id, name, description],
        );
        if (made !== undefined) return made;
        const [there] = await queryable.query<ProjectRow>(
          `select ${columns} from projects row where row.id = $1::uuid`,
          [id],
        );
        if (there === undefined) return vanished("project", name);
        if (there.name !== name || there.description !== description) throw taken("project", id);
        return there;
      });
      return await uniquely(`a project ${JSON.stringify(name)}`, inserting);
    },
    async update(id, { name, description }, audit) {
      refuseUnstorable(name ?? "", "name");
      refuseUnstorable(description ?? "", "description");
      const updating = withAudit(database, audit, (queryable) =>
        queryable.query<ProjectRow>(
          `update projects row
         set name = coalesce($2::text, row.name), description = coalesce($3::text, row.description),
           updated_at = now()
         where row.id = $1::uuid
         returning ${columns}`,
          [id, name ?? null, description ?? null],
        ),
      );
      return (await uniquely(`a project ${JSON.stringify(name)}`, updating))[0] ?? null;
    },
    remove: (id, contents, audit) => removeProject(database, id, contents, audit),
    async get(id) {
      const rows = await database.query<ProjectRow>(
        `select ${columns} from projects row where row.id = $1::uuid and row.archived_at is null`,
        [id],
      );
      return rows[0] ?? null;
    },
    named,
    list: ({ id } = {}, page = {}) =>
      readPage<ProjectRow>(
        database,
        {
          columns,
          from: "projects row",
          where: ["row.archived_at is null", ...(id === undefined ? [] : ["row.id = $1::uuid"])],
          values: id === undefined ? [] : [id],
        },
        page,
      ),
  };
}

/** Ends an `ensure` whose row was there for the insert and gone for the select. */
export function vanished(what: string, name: string): never {
  throw new Problem("conflict", `The ${what} ${name} was removed while it was looked up.`, {
    remedy: "Try again.",
  });
}
