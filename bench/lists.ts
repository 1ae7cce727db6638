/**
 * Lists of runs by every documented filter, with many runs in the database and with few: what history costs a reader.
 * Both databases give the same number of rows, so the difference is the search alone.
 */
import { silentLogger } from "../src/kernel/index.ts";
import type { RunFilter } from "../src/services/index.ts";
import { openDatabase } from "../src/store/index.ts";
import { median, type Outcome } from "./harness.ts";
import { createWorkbench, type Workbench } from "./workbench.ts";

/** In the long form as many as a busy team has in some years. */
const many = { long: 1_000_000, short: 100_000 } as const;
const few = 20_000;
const pageSize = 50;
/** Milliseconds that the search may add at the median. */
const maxMs = 0.5;
const reads = 200;

const sha = (number: number) => number.toString(16).padStart(40, "0");

/** The seed's oldest runs have what is rare: the newest first, they are found last. */
const filters: Readonly<Record<string, RunFilter>> = {
  "no filter": {},
  project: { project: "p0" },
  "rare project": { project: "rare" },
  pipeline: { pipeline: "p0/app" },
  "rare pipeline": { pipeline: "rare/app" },
  status: { status: "success" },
  "rare status": { status: "canceled" },
  "absent status": { status: "running" },
  "project and status": { project: "p0", status: "failed" },
  "project and absent status": { project: "p0", status: "running" },
  "pipeline and status": { pipeline: "p0/app", status: "failed" },
  "pipeline and absent status": { pipeline: "p0/app", status: "running" },
  "pipeline and ref": { pipeline: "p0/app", ref: "main" },
  "pipeline and rare ref": { pipeline: "p0/app", ref: "rare" },
  "pipeline and absent ref": { pipeline: "p0/app", ref: "absent" },
  "pipeline and cause": { pipeline: "p0/app", cause: "push" },
  "rare pipeline and cause": { pipeline: "rare/app", cause: "cron" },
  "pipeline and absent cause": { pipeline: "p0/app", cause: "tag" },
  "project and cause": { project: "p0", cause: "push" },
  "project and absent cause": { project: "p0", cause: "tag" },
  "commit of one run": { sha: sha(1) },
  "absent commit": { sha: "f".repeat(40) },
  "project and commit": { project: "p0", sha: sha(120) },
  "since long ago": { since: "2020-01-01T00:00:00Z" },
  "since an instant with nothing after": { since: "2100-01-01T00:00:00Z" },
  "pipeline since with nothing after": { pipeline: "p0/app", since: "2100-01-01T00:00:00Z" },
};

export async function benchLists(rounds: number): Promise<Outcome[]> {
  const count = rounds > 3 ? many.long : many.short;
  await using large = await seeded(count);
  await using small = await seeded(few);
  let missed = 0;
  console.log(`\nlists of runs: ${count} runs beside ${few}, medians of ${reads} reads in turn`);
  for (const [name, filter] of Object.entries(filters)) {
    const took: [number[], number[]] = [[], []];
    for (let read = 0; read < reads; read += 1) {
      const rows = [];
      for (const [at, bench] of [large, small].entries()) {
        const start = performance.now();
        const { items } = await bench.app.client.list({ ...filter, limit: pageSize });
        took[at]?.push(performance.now() - start);
        rows.push(items.length);
      }
      if (rows[0] !== rows[1]) throw new Error(`${name}: ${rows[0]} rows of many and ${rows[1]} of few`);
    }
    const [slow, quick] = [median(took[0]), median(took[1])];
    const holds = slow - quick <= maxMs;
    if (!holds) missed += 1;
    console.log(
      `  ${holds ? "ok  " : "MISS"} ${name.padEnd(38)} ${slow.toFixed(2)} ms beside ${quick.toFixed(2)} (at most ${maxMs} more)`,
    );
  }
  return [{ title: "lists", held: Object.keys(filters).length - missed, missed }];
}

/** Twenty projects with a pipeline each, and one whose runs are the oldest 100. */
async function seeded(count: number): Promise<Workbench> {
  const bench = await createWorkbench();
  const { store, connection } = await bench.app.open();
  const names = [...Array.from({ length: 20 }, (_, index) => `p${index}`), "rare"];
  for (const name of names) {
    const { id: projectId } = await store.projects.ensure(name);
    const repository = { projectId, vcsProvider: "git", cloneUrl: `/${name}`, defaultBranch: null } as const;
    const { id: repositoryId } = await store.repositories.ensure(repository);
    await store.pipelines.ensure({ repositoryId, name: "app", triggerType: "manual" });
  }
  await using database = openDatabase(connection, {
    max: 1,
    applicationName: "bench",
    log: silentLogger,
    statementTimeoutMs: 600_000,
  });
  await database.execute("alter table pipeline_runs disable trigger user");
  await database.execute(`
    insert into pipeline_runs (id, pipeline_id, project_id, number, git_ref, git_sha, tree, branch, status, phase, cause_kind, cause_actor,
      executor_type, failure_reason, seq, created_at, started_at, finished_at)
    select gen_random_uuid(), pipeline.id, repository.project_id, n, 'refs/heads/' || ref, lpad(to_hex(n), 40, '0'),
      repeat('0', 40), ref, status, 'submitted', case when n <= 150 then 'cron' when n % 7 = 0 then 'push' else 'manual' end, 'ada', 'local',
      case status when 'failed' then 'script_failed' when 'canceled' then 'canceled' end, 3, at, at, at
    from generate_series(1, ${count}) n
    cross join lateral (select
      case when n <= 100 then 'rare' else 'p' || n % 20 end as project,
      case when n <= 200 then 'rare' when n % 4 = 0 then 'main' else 'topic-' || n % 1000 end as ref,
      case when n <= 150 then 'canceled' when n % 7 = 0 then 'failed' else 'success' end as status,
      timestamptz '2026-01-01' + n * interval '1 second' as at) made
    join projects on projects.name = made.project
    join repositories repository on repository.project_id = projects.id
    join pipelines pipeline on pipeline.repository_id = repository.id`);
  await database.execute("alter table pipeline_runs enable trigger user");
  await database.execute("vacuum analyze pipeline_runs");
  return bench;
}
