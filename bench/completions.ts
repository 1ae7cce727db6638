/** 200 steps of one run that end at once: how long an unrelated read waits meanwhile, against the same read alone. */

import type { PipelineConfig, StepConfig } from "../src/domain/index.ts";
import { buildinator } from "../src/domain/index.ts";
import { createFakeExecutor } from "../src/executor/fake/index.ts";
import { silentLogger, systemClock } from "../src/kernel/index.ts";
import { createOrchestrator } from "../src/orchestrator/index.ts";
import type { OpenDatabase } from "../src/services/index.ts";
import { compare, type Outcome } from "./harness.ts";
import { createWorkbench } from "./workbench.ts";

const count = 200;

export async function benchCompletions(rounds: number): Promise<Outcome[]> {
  await using bench = await createWorkbench();
  const parts = await bench.app.open();
  const result = await compare({
    title: `an unrelated read while ${count} steps of one run end at once: the slowest`,
    rounds: Math.min(rounds, 5),
    contenders: [
      { name: "read meanwhile", measure: () => slowestRead(parts, "meanwhile") },
      { name: "read alone", measure: () => slowestRead(parts, "alone") },
    ],
    limits: [{ subject: "read meanwhile", most: 20 }],
  });
  return [result];
}

async function slowestRead(parts: OpenDatabase, when: "meanwhile" | "alone"): Promise<number> {
  const { store, owner, artifacts } = parts;
  const executor = createFakeExecutor({
    script: Object.fromEntries(names().map((name) => [name, { hold: "after" }])),
  });
  const { id } = await accept(parts);
  await using orchestrator = createOrchestrator({
    store,
    executor,
    artifacts,
    registry: { digest: () => Promise.reject(new Error("no registry here")) },
    inators: new Map([["build", buildinator]]),
    resolver: { resolve: () => Promise.reject(new Error("nothing to resolve here")) },
    owner,
    slots: count,
    parallelLimit: Number.POSITIVE_INFINITY,
    clock: systemClock,
    log: silentLogger,
  });
  orchestrator.start();
  orchestrator.own([{ id }]);
  await orchestrator.enqueue(id);
  while (executor.world.begins.size < count) await systemClock.sleep(5);
  const other = await store.runs.latest();
  if (other === null) throw new Error("there is no run to read");
  if (when === "meanwhile") for (const name of names()) executor.finish(name);
  let slowest = 0;
  let final = false;
  for (let reads = 0; reads < 100 || !final; reads++) {
    const start = performance.now();
    const run = await store.runs.get(id);
    slowest = Math.max(slowest, performance.now() - start);
    if (run?.finished_at) final = true;
    if (when === "alone" && reads === 100) for (const name of names()) executor.finish(name);
    if (when === "alone" && reads >= 100) break;
    await systemClock.sleep(1);
  }
  while (!final) {
    await systemClock.sleep(5);
    final = (await store.runs.get(id))?.finished_at != null;
  }
  return slowest;
}

const names = () => Array.from({ length: count }, (_, i) => `s${i}`);

async function accept({ store, owner }: OpenDatabase) {
  const project = await store.projects.ensure("bench");
  const repository = await store.repositories.ensure({
    projectId: project.id,
    vcsProvider: "git",
    cloneUrl: "/bench",
    defaultBranch: null,
  });
  const pipeline = await store.pipelines.ensure({
    repositoryId: repository.id,
    name: "bench",
    triggerType: "manual",
  });
  const config: PipelineConfig = {
    build: { steps: names().map(stepConfig) },
    test: null,
    deploy: null,
    submodules: false,
  };
  return store.runs.accept(
    {
      pipelineId: pipeline.id,
      executorType: "fake",
      trigger: { kind: "manual", actor: "bench", delivery: null },
      gitRef: null,
      gitSha: null,
      tree: "0".repeat(40),
      subpath: null,
      worktree: "clean",
      branch: null,
      tag: null,
      requestedStages: null,
      config,
      retriedFrom: null,
      owner,
      cause: "bench",
    },
    () => {
      const variables = {
        commit: "",
        short_commit: "",
        ref: "",
        branch: "",
        tag: "",
        run_id: "",
        run_number: "",
        pipeline: "",
      };
      return [{ type: "build", steps: buildinator.plan(config, { variables, graceSeconds: 10 }) ?? [] }];
    },
  );
}

function stepConfig(name: string): StepConfig {
  return {
    name,
    run: ":",
    shell: null,
    image: null,
    env: {},
    timeoutSeconds: 3600,
    retry: null,
    secrets: [],
    parallelGroup: "all",
    outputs: [],
  };
}
