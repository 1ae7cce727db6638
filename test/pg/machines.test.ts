import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  finalStatesOf,
  type MachineName,
  phaseTransitions,
  runPhases,
  statesOf,
  transitionsOf,
} from "../../src/domain/index.ts";
import { errorCode, newId } from "../../src/kernel/index.ts";
import { createFixture, type Fixture, stepPlan, tryOut } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** What a row must look like in each state beside its state, so that no CHECK hides what a guard does. */
const dates = (start: string, end: string) => (state: string, from: string) => {
  const live = state === "pending" || state === "running";
  const begun =
    ["running", "succeeded", "success"].includes(state) || (from === "running" && state !== "skipped");
  return `${start} = ${begun && state !== "pending" ? "now()" : "null"}, ${end} = ${live ? "null" : "now()"}`;
};
const reason = (state: string) =>
  `, failure_reason = ${state === "failed" || state === "lost" ? "'internal'" : "null"}`;

interface Subject {
  readonly machine: MachineName;
  readonly table: string;
  readonly set: (state: string, from: string) => string;
}

const started = dates("started_at", "finished_at");
const begun = dates("begun_at", "completed_at");
const subjects: Record<string, Subject> = {
  run: { machine: "run", table: "pipeline_runs", set: (to, from) => started(to, from) + reason(to) },
  job: { machine: "stage", table: "jobs", set: (to, from) => started(to, from) + reason(to) },
  step: { machine: "stage", table: "job_steps", set: started },
  execution: { machine: "execution", table: "executions", set: (to, from) => begun(to, from) + reason(to) },
};

/** The states that lead to `state`, the first being pending. */
function pathTo(machine: MachineName, state: string): string[] {
  if (state === "pending") return ["pending"];
  const direct = transitionsOf(machine).find(([from, to]) => from === "pending" && to === state);
  return direct === undefined ? ["pending", "running", state] : ["pending", state];
}

async function rows() {
  const { store, newRun, database } = fixture;
  const run = await store.runs.accept(newRun, () => [{ type: "build", steps: [stepPlan("only")] }]);
  const [job] = await store.jobs.ofRun(run.id);
  const [step] = await store.steps.ofRun(run.id);
  const execution = newId();
  await database.execute(
    `insert into executions (id, job_step_id, pipeline_run_id, attempt, executor_type, spec)
     values ($1::uuid, $2::uuid, $3::uuid, 1, 'fake', '{}')`,
    [execution, step?.id, run.id],
  );
  return { run: run.id, job: job?.id, step: step?.id, execution } as Record<string, string>;
}

describe.each(Object.entries(subjects))("the database's guard of a %s", (name, { machine, table, set }) => {
  const move = (to: string, from: string, id: unknown): [string, unknown[]] => [
    `update ${table} set status = '${to}', ${set(to, from)} where id = $1::uuid`,
    [id],
  ];

  it("allows exactly the moves of its machine", async () => {
    const id = (await rows())[name];
    const legal = new Set(transitionsOf(machine).map(([from, to]) => `${from} → ${to}`));
    const allowed = new Set<string>();
    for (const from of statesOf(machine)) {
      const path = pathTo(machine, from);
      const arrive = path.slice(1).map((state, index) => move(state, path[index] ?? "", id));
      expect(await tryOut(fixture.database, ...arrive), `reaching ${from}`).toBe(null);
      for (const to of statesOf(machine)) {
        if (to === from) continue;
        const unavailableReason = await tryOut(fixture.database, ...arrive, move(to, from, id));
        if (unavailableReason === null) allowed.add(`${from} → ${to}`);
        else expect(errorCode(unavailableReason), `${from} → ${to}`).toBe("SH001");
      }
    }
    expect(allowed).toEqual(legal);
  });

  it("leaves nothing of a final row open to change", async () => {
    const id = (await rows())[name];
    const column = name === "execution" ? "completed_at" : "finished_at";
    for (const final of finalStatesOf(machine)) {
      const path = pathTo(machine, final);
      const arrive = path.slice(1).map((state, index) => move(state, path[index] ?? "", id));
      const later: [string, unknown[]] = [
        `update ${table} set ${column} = now() + interval '1 second' where id = $1::uuid`,
        [id],
      ];
      expect(errorCode(await tryOut(fixture.database, ...arrive, later)), final).toBe("SH001");
    }
  });

  it("knows no other state", async () => {
    const id = (await rows())[name];
    const unavailableReason = await tryOut(fixture.database, [
      `update ${table} set status = 'bogus' where id = $1::uuid`,
      [id],
    ]);
    expect(errorCode(unavailableReason)).toBe("23514");
  });

  it("lets a row begin pending only", async () => {
    const id = (await rows())[name];
    for (const state of statesOf(machine)) {
      const made = await tryOut(
        fixture.database,
        [`create temporary table copy on commit drop as select * from ${table} where id = $1::uuid`, [id]],
        ["update copy set id = gen_random_uuid()"],
        [uniqueAgain[name] ?? ""],
        ["update executions set status = 'lost', completed_at = now(), failure_reason = 'internal'"],
        [`update copy set status = '${state}', ${set(state, "pending")}`],
        [`insert into ${table} (${insertable[name]}) select ${insertable[name]} from copy`],
      );
      expect(state === "pending" ? made : errorCode(made), state).toBe(state === "pending" ? null : "SH001");
    }
  });
});

const uniqueAgain: Record<string, string> = {
  run: "update copy set number = number + 1000",
  job: "update copy set attempt = 2",
  step: "update copy set execution_order = 1",
  execution: "update copy set attempt = 2",
};

const insertable: Record<string, string> = {
  run: "id, pipeline_id, number, status, cause_kind, cause_actor, executor_type, started_at, finished_at, failure_reason",
  job: "id, pipeline_run_id, job_type, name, status, attempt, started_at, finished_at, failure_reason",
  step: "id, job_id, name, execution_order, plan, status, started_at, finished_at",
  execution:
    "id, job_step_id, pipeline_run_id, attempt, executor_type, spec, status, begun_at, completed_at, failure_reason",
};

describe("the database's guard of a run's phase", () => {
  it("lets it move forward only, any number of phases", async () => {
    const { run } = await rows();
    const allowed = new Set<string>();
    const to = (phase: string): [string, unknown[]] => [
      `update pipeline_runs set phase = '${phase}' where id = $1::uuid`,
      [run],
    ];
    for (const from of runPhases)
      for (const phase of runPhases) {
        if (phase === from) continue;
        const arrive = from === "submitted" ? [] : [to(from)];
        const unavailableReason = await tryOut(fixture.database, ...arrive, to(phase));
        if (unavailableReason === null) allowed.add(`${from} → ${phase}`);
        else expect(errorCode(unavailableReason)).toBe("SH001");
      }
    expect(allowed).toEqual(new Set(phaseTransitions().map(([from, phase]) => `${from} → ${phase}`)));
  });
});

describe("what is final or recorded", () => {
  it("still takes an execution's missing log bytes", async () => {
    const { execution } = await rows();
    const end = `update executions set status = 'lost', completed_at = now(), failure_reason = 'node_lost' where id = $1::uuid`;
    const log = "update executions set logs_ref = 'x', log_bytes = 9, log_dropped = 1 where id = $1::uuid";
    expect(await tryOut(fixture.database, [end, [execution]], [log, [execution]])).toBe(null);
  });

  it.each(["pipeline_runs", "jobs", "job_steps", "executions", "transitions", "artifacts", "deployments"])(
    "is not truncated: %s",
    async (table) => {
      expect(errorCode(await tryOut(fixture.database, [`truncate ${table} cascade`]))).toBe("SH001");
    },
  );

  it.each(["pipeline_runs", "jobs", "job_steps", "executions", "transitions"])(
    "is not deleted: %s",
    async (table) => {
      await rows();
      expect(errorCode(await tryOut(fixture.database, [`delete from ${table}`]))).toMatch(/SH001/);
    },
  );

  it("is not rewritten: transitions, configurations", async () => {
    await rows();
    for (const statement of [
      "update transitions set cause = 'other'",
      "update pipeline_configs set config = '{}'",
    ])
      expect(errorCode(await tryOut(fixture.database, [statement]))).toBe("SH001");
  });

  it("has one live execution per step", async () => {
    const { step, run } = await rows();
    const second = await tryOut(fixture.database, [
      `insert into executions (id, job_step_id, pipeline_run_id, attempt, executor_type, spec)
       values (gen_random_uuid(), $1::uuid, $2::uuid, 2, 'fake', '{}')`,
      [step, run],
    ]);
    expect(second).toMatchObject({ code: "23505", constraint: "executions_one_live" });
  });
});
