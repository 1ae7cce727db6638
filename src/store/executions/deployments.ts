/** Deployments. `runs.apply` creates and ends them with their executions; a person resolves one that is unknown. */
import type { DeploymentId, ProjectId, RunId } from "../../kernel/index.ts";
import { type NewAuditEntry, withAudit } from "../access/audit.ts";
import type { Database } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { idRange } from "../db/prefix.ts";
import { storableText } from "../db/text.ts";
import type { DeploymentRow } from "../rows.ts";

export interface DeploymentStore {
  get(id: DeploymentId): Promise<DeploymentRow | null>;
  /** Deployments whose id begins so (hex digits and dashes), at most two. */
  findByPrefix(prefix: string): Promise<readonly DeploymentRow[]>;
  ofRun(runId: RunId): Promise<readonly DeploymentRow[]>;
  list(
    filter?: {
      readonly target?: string;
      readonly namespace?: string;
      readonly release?: string;
      readonly projectId?: ProjectId;
    },
    page?: PageRequest,
  ): Promise<Page<DeploymentRow>>;
  /** Resolves a deployment whose outcome is unknown; null when it is not unknown. */
  resolve(
    id: DeploymentId,
    outcome: "succeeded" | "failed",
    by: string,
    audit?: NewAuditEntry,
  ): Promise<DeploymentRow | null>;
}

const ofRun = (column: string) => `(select ${column} from pipeline_runs run
  join pipelines pipeline on pipeline.id = run.pipeline_id
  join projects project on project.id = run.project_id
  where run.id = row.pipeline_run_id)`;

const columns = `row.id, row.target, row.namespace, row.release, row.digests, row.pipeline_run_id, row.execution_id,
  row.outcome, row.resolved_by, row.created_at, row.finished_at, ${ofRun("project.name")} as project,
  ${ofRun("pipeline.name")} as pipeline, ${ofRun("run.number")} as number`;

export function createDeploymentStore(database: Database): DeploymentStore {
  return {
    async get(id) {
      const rows = await database.query<DeploymentRow>(
        `select ${columns} from deployments row where row.id = $1::uuid`,
        [id],
      );
      return rows[0] ?? null;
    },
    async findByPrefix(prefix) {
      const range = idRange(prefix);
      if (range === null) return [];
      return await database.query<DeploymentRow>(
        `select ${columns} from deployments row where row.id between $1::uuid and $2::uuid order by row.id limit 2`,
        range,
      );
    },
    ofRun: (runId) =>
      database.query<DeploymentRow>(
        `select ${columns} from deployments row where row.pipeline_run_id = $1::uuid order by row.created_at, row.id`,
        [runId],
      ),
    list(filter = {}, page = {}) {
      const named = Object.entries({
        target: filter.target,
        namespace: filter.namespace,
        release: filter.release,
      }).filter(([, value]) => value !== undefined);
      const { projectId } = filter;
      const ofProject =
        projectId === undefined
          ? []
          : [
              `exists (select from pipeline_runs run where run.id = row.pipeline_run_id
                 and run.project_id = $${named.length + 1}::uuid)`,
            ];
      return readPage<DeploymentRow>(
        database,
        {
          columns,
          from: "deployments row",
          where: [...named.map(([column], index) => `row.${column} = $${index + 1}::text`), ...ofProject],
          values: [...named.map(([, value]) => value), ...(projectId === undefined ? [] : [projectId])],
        },
        page,
      );
    },
    async resolve(id, outcome, by, audit) {
      const rows = await withAudit(database, audit, (queryable) =>
        queryable.query<DeploymentRow>(
          `update deployments row
         set outcome = $2::text, resolved_by = $3::text, finished_at = now()
         where row.id = $1::uuid and row.outcome = 'unknown'
         returning ${columns}`,
          [id, outcome, storableText(by)],
        ),
      );
      return rows[0] ?? null;
    },
  };
}
