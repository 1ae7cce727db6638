/** Plays a run's transitions from the first and compares where they lead with the rows. Gives what is wrong. */
import { type MachineName, phaseTransitions, transitionsOf } from "../../../src/domain/index.ts";
import type { RunId } from "../../../src/kernel/index.ts";
import type { Store, TransitionRow } from "../../../src/store/index.ts";

const legal: Readonly<Record<TransitionRow["entity"], ReadonlySet<string>>> = {
  run: pairs("run"),
  phase: new Set(phaseTransitions().map(([from, to]) => `${from} ${to}`)),
  job: pairs("stage"),
  step: pairs("stage"),
  execution: pairs("execution"),
};

function pairs(machine: MachineName): ReadonlySet<string> {
  return new Set(transitionsOf(machine).map(([from, to]) => `${from} ${to}`));
}

export async function replayFaults(store: Store, runId: RunId): Promise<string[]> {
  const faults: string[] = [];
  const history = await everything(store, runId);
  const states = new Map<string, string>();
  for (const [index, { seq, entity, entity_id: id, from_state: from, to_state: to }] of history.entries()) {
    const key = `${entity} ${id}`;
    const where = `transition ${seq} (${key}: ${from} → ${to})`;
    if (seq !== index + 1) faults.push(`${where} is number ${index + 1}`);
    // Steps are made with their job, so their first move is their first mention.
    const state = states.get(key) ?? (entity === "step" ? "pending" : null);
    if (from !== state) faults.push(`${where} leaves ${state}`);
    if (from !== null && from !== to && !legal[entity].has(`${from} ${to}`))
      faults.push(`${where} is illegal`);
    states.set(key, to);
  }
  for (const [key, state] of await rows(store, runId)) {
    const replayed = states.get(key) ?? (key.startsWith("step") ? "pending" : "absent");
    if (replayed !== state) faults.push(`${key} is ${state}, its history says ${replayed}`);
  }
  const run = await store.runs.get(runId);
  if (run?.seq !== history.length) faults.push(`seq is ${run?.seq} after ${history.length} transitions`);
  return faults;
}

/** The executions that the run had when the request to cancel it was recorded: seq orders all of the run's writers. */
export async function madeBeforeCancel(store: Store, runId: RunId): Promise<ReadonlySet<string>> {
  const history = await everything(store, runId);
  const request = history.findIndex(({ cause }) => cause === "cancel_requested");
  const before = history.slice(0, request).filter(({ entity }) => entity === "execution");
  return new Set(before.map((row) => row.entity_id));
}

async function everything(store: Store, runId: RunId): Promise<TransitionRow[]> {
  const all: TransitionRow[] = [];
  for (;;) {
    const page = await store.transitions.after(runId, all.at(-1)?.seq ?? 0, 1_000);
    all.push(...page);
    if (page.length < 1_000) return all;
  }
}

async function rows(store: Store, runId: RunId): Promise<[key: string, state: string][]> {
  const [run, jobs, steps, executions] = await Promise.all([
    store.runs.get(runId),
    store.jobs.ofRun(runId),
    store.steps.ofRun(runId),
    store.executions.ofRun(runId),
  ]);
  return [
    [`run ${runId}`, run?.status ?? "absent"],
    [`phase ${runId}`, run?.phase ?? "absent"],
    ...[...jobs.map((row) => ["job", row] as const), ...steps.map((row) => ["step", row] as const)].map(
      ([entity, row]): [string, string] => [`${entity} ${row.id}`, row.status],
    ),
    ...executions.map((row): [string, string] => [`execution ${row.id}`, row.status]),
  ];
}
