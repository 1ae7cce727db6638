/** Projects: the name that a team knows its repositories by. */
import { newId, Problem, type ProjectId } from "../kernel/index.ts";
import type { Database } from "./database.ts";
import { type Page, type PageRequest, readPage } from "./page.ts";
import type { ProjectRow } from "./rows.ts";
import { refuseUnstorable } from "./text.ts";

export interface ProjectStore {
  /** The project of that name, made at its first use; safe when several processes ask at once. */
  ensure(name: string): Promise<ProjectRow>;
  get(id: ProjectId): Promise<ProjectRow | null>;
  named(name: string): Promise<ProjectRow | null>;
  list(page?: PageRequest): Promise<Page<ProjectRow>>;
}

const columns = "row.id, row.name, row.description, row.created_at, row.updated_at";

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
    async get(id) {
      const rows = await database.query<ProjectRow>(
        `select ${columns} from projects row where row.id = $1::uuid`,
        [id],
      );
      return rows[0] ?? null;
    },
    named,
    list: (page = {}) =>
      readPage<ProjectRow>(database, { columns, from: "projects row", where: [], values: [] }, page),
  };
}

/** Ends an `ensure` whose row was there for the insert and gone for the select. */
export function vanished(what: string, name: string): never {
  throw new Problem("conflict", `The ${what} ${name} was removed while it was looked up.`, {
    remedy: "Try again.",
  });
}
