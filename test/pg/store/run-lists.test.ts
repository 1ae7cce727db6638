/** Every documented list of runs is read in an index's order, so that its cost does not grow with history. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunListFilter } from "../../../src/store/index.ts";
import { createRunStore } from "../../../src/store/runs/runs.ts";
import { createFixture, type Fixture } from "../fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
  const { database } = fixture;
  await database.execute("alter table pipeline_runs disable trigger user");
  await database.execute(
    `insert into pipeline_runs (id, pipeline_id, project_id, number, git_ref, git_sha, status, cause_kind, cause_actor, executor_type, seq,
       created_at, started_at, finished_at)
     select gen_random_uuid(), $1::uuid, repository.project_id, n, 'refs/heads/topic-' || n % 50, lpad(to_hex(n % 5000), 40, '0'),
       'success', 'manual', 'ada', 'local', 3, at, at, at
     from generate_series(1, 20000) n
     cross join lateral (select timestamptz '2026-01-01' + n * interval '1 second' as at) made
     join pipelines pipeline on pipeline.id = $1::uuid
     join repositories repository on repository.id = pipeline.repository_id`,
    [fixture.newRun.pipelineId],
  );
  await database.execute("alter table pipeline_runs enable trigger user");
  await database.execute("analyze pipeline_runs");
});
afterAll(() => fixture[Symbol.asyncDispose]());

async function planOf(filter: RunListFilter): Promise<string> {
  const lines: string[] = [];
  const explaining: typeof fixture.database = {
    ...fixture.database,
    async query(text, values) {
      const rows = await fixture.database.query<Record<string, string>>(
        `explain (costs off) ${text}`,
        values,
      );
      lines.push(...rows.map((row) => row["QUERY PLAN"] ?? ""));
      return [];
    },
  };
  await createRunStore(explaining).list(filter);
  return lines.join("\n");
}

it.each([
  ["a pipeline and a ref", "pipeline_runs_list_of_ref", { ref: "refs/heads/topic-7" }],
  ["a pipeline and a ref that no run has", "pipeline_runs_list_of_ref", { ref: "refs/heads/absent" }],
  [
    "a pipeline and a status that no run has",
    "pipeline_runs_list_of_pipeline_status",
    { status: "canceled" },
  ],
  ["a pipeline and a cause", "pipeline_runs_list_of_pipeline_cause", { cause: "cron" }],
] as const)("of %s", async (_, index, filter) => {
  const plan = await planOf({ pipelineId: fixture.newRun.pipelineId, ...filter });
  expect(plan).toContain(`Backward using ${index} on pipeline_runs`);
  expect(plan).not.toMatch(/Sort|Seq Scan on pipeline_runs/);
});
