/** Plays one history against real planner, store and orchestrators, and compares it with the model after each action. */
import type { JobType, StepPlan } from "../../../src/domain/index.ts";
import { createFakeExecutor, fakeOutcomes } from "../../../src/executor/index.ts";
import type { RunId } from "../../../src/kernel/index.ts";
import type { NewJob } from "../../../src/store/index.ts";
import { type Fixture, resolvedCommit, stepPlan } from "../fixture.ts";
import { type Bench, createBench, type Process } from "../orchestrator/bench.ts";
import type { Action, History, Move } from "./arbitraries.ts";
import { type AtCancel, differences } from "./compare.ts";
import { createGatedWorld, type GatedWorld } from "./gated-world.ts";
import type { StageGiven, StepGiven } from "./model.ts";
import { madeBeforeCancel, replayFaults } from "./replay.ts";
import { createRepository } from "./repository.ts";

const timeoutSeconds = 3_600;

/** Throws with all that is wrong. */
export async function play(fixture: Fixture, history: History): Promise<void> {
  await using bench = await createBench(fixture);
  const player = await begin(bench, history);
  for (const action of history.actions) await player.act(action);
  await player.end();
}

interface Player {
  act(action: Action): Promise<void>;
  end(): Promise<void>;
}

async function begin(bench: Bench, { begins, stages, behaviours, slots }: History): Promise<Player> {
  const { store, world, clock } = bench;
  const truth: GatedWorld = createGatedWorld(world);
  const hand = createFakeExecutor({ world, clock });
  const release = `release-${crypto.randomUUID()}`;
  const script = { ...behaviours, probe: { hold: "after" as const } };
  const jobs = plans(stages, release);
  const repository = createRepository(begins, { ...resolvedCommit, jobs: newJobs(jobs) });
  const deps = { resolver: repository.resolver };
  const make = () => bench.process({ slots, script, around: truth.around, deps });
  const zombies: Process[] = [];
  const wrong: string[] = [];
  let crashes = 0;
  let moment = 0;
  let atCancel: AtCancel | null = null;

  const age = (since: Date) => clock.now().getTime() - since.getTime();
  let current = await make();
  const runId = begins === "resolved" ? await bench.begin(current, jobs) : await submit();
  await check("begin");

  async function submit(): Promise<RunId> {
    const asked = { ...bench.fixture.newRun, gitRef: "main", gitSha: null, owner: current.owner };
    const { id } = await store.runs.submit(asked);
    await current.own(id);
    await bench.quiet();
    return id;
  }

  function move({ pick, how, outcome }: Move): void {
    const live = truth.live();
    const it = live[pick % live.length];
    if (it === undefined) return;
    const waits = it.status.state === "waiting";
    const needsBegin = saysBegan(outcome);
    if (how === "hint") hand.notify(it.name);
    else if (how === "begin") {
      if (atCancel === null) hand.begin(it.name);
    } else if (!waits && !needsBegin) hand.finish(it.name, fakeOutcomes.success);
    else if (atCancel === null || !waits || !needsBegin) hand.finish(it.name, fakeOutcomes[outcome]);
  }

  async function isFinal(): Promise<boolean> {
    return (await store.runs.get(runId))?.finished_at !== null;
  }

  /** Another process takes the run over and is itself frozen after so many gates, unless it is the last. */
  async function succeed(heirs: readonly number[]): Promise<void> {
    for (const passes of [...heirs, null]) {
      const old = current;
      const heir = await make();
      if (await isFinal()) {
        current = heir;
        return;
      }
      if (!(await store.runs.takeOwnership(runId, old.owner, heir.owner)))
        wrong.push("the ownership of a run was not taken");
      await store.instances.end(old.owner);
      forbidWrites(old);
      if (passes !== null) heir.gate.freezeAfter(passes);
      void heir.own(runId);
      await bench.quiet();
      current = heir;
      if (passes === null) return;
      freeze(heir);
    }
  }

  function freeze(process: Process): void {
    process.gate.freezeAfter(0);
    zombies.push(process);
    crashes++;
  }

  function forbidWrites({ gate }: Process): void {
    gate.onAnswer((name, value) => {
      const nothing = name === "executions.claim" ? Array.isArray(value) && value.length === 0 : !value;
      if (["runs.apply", "runs.resolve", "executions.claim", "executions.place"].includes(name) && !nothing)
        wrong.push(`a process that lost its ownership wrote: ${name}`);
    });
  }

  async function thaw(zombie: Process): Promise<void> {
    zombie.gate.thaw();
    await bench.quiet();
  }

  async function cancel(told: "told" | "untold", during: "quiet" | "resolution"): Promise<void> {
    if ((await store.runs.requestCancel(runId, "somebody")) !== "requested") return;
    const begins = during === "quiet" ? world.begins.size : null;
    atCancel = { moment, executions: await madeBeforeCancel(store, runId), begins };
    if (told === "told") void current.orchestrator.enqueue(runId);
  }

  async function act(action: Action): Promise<void> {
    moment++;
    switch (action.kind) {
      case "world":
        for (const one of action.moves) move(one);
        break;
      case "remote":
        repository.turn(action.to);
        break;
      case "cancel":
        if (action.remote !== null) repository.turn(action.remote);
        await cancel(action.told, action.remote === null ? "quiet" : "resolution");
        for (const one of action.moves) move(one);
        break;
      case "elapse":
        clock.advance(timeoutSeconds * 1_000);
        break;
      case "thaw": {
        if (action.company === "alone") current.gate.freezeAfter(0);
        for (const one of action.moves) move(one);
        const zombie = zombies.shift();
        if (zombie !== undefined) await thaw(zombie);
        current.gate.thaw();
        break;
      }
      case "stop":
        for (const one of action.moves) move(one);
        // What heeds no cancel would be waited for.
        if (truth.live().some((it) => it.cancels > 0)) break;
        await current.stop();
        await succeed([]);
        break;
      case "crash":
        current.gate.freezeAfter(action.passes);
        for (const one of action.moves) move(one);
        if (action.remote !== null) repository.turn(action.remote);
        // The retry asks again for what is away, and is to be cut short as well.
        if (repository.resolution === "pending") await bench.resync();
        await bench.quiet();
        freeze(current);
        if (action.afterwards !== null) repository.turn(action.afterwards);
        await succeed(action.heirs);
        break;
    }
    await bench.quiet();
    await bench.resync();
    await check(action.kind);
  }

  async function check(after: string): Promise<void> {
    truth.note(moment);
    const run = await store.runs.get(runId);
    const elapsed = after === "elapse" ? "elapse" : "other";
    repository.note(elapsed, atCancel === null ? "not" : "asked", run);
    const { resolution } = repository;
    wrong.push(...(await differences(bench, { runId, stages, truth, cancel: atCancel, resolution })));
    for (const [key, times] of world.begins) if (times !== 1) wrong.push(`${key} began ${times} times`);
    const late = truth
      .live()
      .filter((it) => it.status.state === "begun" && it.cancels === 0 && !it.name.startsWith("probe"))
      .filter((it) => it.status.state === "begun" && age(it.status.begunAt) >= timeoutSeconds * 1_000);
    for (const it of late) wrong.push(`${it.name} runs longer than its timeout`);
    if (truth.live().length > slots) wrong.push(`${truth.live().length} run in ${slots} slots`);
    if (wrong.length > 0) throw new Error(`after ${after}:\n${wrong.join("\n")}`);
  }

  async function end(): Promise<void> {
    repository.turn("found");
    // Each of at most 10 steps, 3 job attempts, 3 attempts in place; all that lives succeeds.
    for (let rounds = 0; !(await isFinal()); rounds++) {
      if (rounds > 100) throw new Error("the run does not end");
      for (const it of truth.live()) endWell(it);
      await act({ kind: "world", moves: [] });
    }
    const seq = (await store.runs.get(runId))?.seq;
    for (const it of world.executions.values()) if (it.name in behaviours) hand.notify(it.name);
    for (const zombie of zombies.splice(0)) await thaw(zombie);
    await bench.resync();
    await check("the end");
    if ((await store.runs.get(runId))?.seq !== seq) wrong.push("the run moved after its end");
    wrong.push(...(await replayFaults(store, runId)));
    if (crashes === 0 && world.jobs.size > 0) wrong.push("a workspace was left open");
    await probe();
    if (wrong.length > 0) throw new Error(`in the end:\n${wrong.join("\n")}`);
  }

  function endWell({ name, status }: ReturnType<GatedWorld["live"]>[number]): void {
    const refused = atCancel !== null && status.state === "waiting";
    hand.finish(name, refused ? fakeOutcomes.startFailed : fakeOutcomes.success);
  }

  /** All slots came back: as many steps as there are slots begin at once. */
  async function probe(): Promise<void> {
    const before = world.begins.size;
    const group = Array.from({ length: slots }, () => stepPlan("probe", { parallelGroup: "probe" }));
    const probeId = await bench.begin(current, { build: group });
    if (world.begins.size !== before + slots) wrong.push("slots were lost");
    await store.runs.requestCancel(probeId, "probe");
    await current.orchestrator.enqueue(probeId);
    await bench.quiet();
    const { status } = await bench.view(probeId);
    if (status !== "canceled") wrong.push(`the probe ended as ${status}`);
  }

  return { act, end };
}

function newJobs(stages: ReturnType<typeof plans>): readonly NewJob[] {
  return Object.entries(stages).map(([type, steps]) => ({ type: type as JobType, steps }));
}

function saysBegan(outcome: Move["outcome"]): boolean {
  return { began: true, ...fakeOutcomes[outcome] }.began;
}

function plans(
  stages: readonly StageGiven[],
  release: string,
): Partial<Record<JobType, readonly StepPlan[]>> {
  return Object.fromEntries(
    stages.map(({ name, steps }) => [name, steps.map((step) => planOf(name, step, release))]),
  );
}

function planOf(stage: JobType, { name, group, retry }: StepGiven, release: string): StepPlan {
  return stepPlan(name, {
    parallelGroup: group,
    retry: retry as StepPlan["retry"],
    timeoutSeconds,
    ...(stage === "deploy"
      ? { source: "none", deploy: { target: "local", namespace: "default", release, kind: "script" } }
      : {}),
  });
}
