import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createArtifactStore } from "../../../src/artifacts/index.ts";
import type { OutputSpec } from "../../../src/domain/index.ts";
import { type FakeBehaviour, fakeOutcomes } from "../../../src/executor/index.ts";
import { newId, Problem, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { createFixture, type Fixture, stepPlan } from "../fixture.ts";
import { away, createBench } from "./bench.ts";

let fixture: Fixture;
let directory: string;
beforeAll(async () => {
  fixture = await createFixture();
  directory = await mkdtemp(join(tmpdir(), "shipinator-outputs-"));
  await writeFile(join(directory, "app"), "the bytes of the app");
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await fixture[Symbol.asyncDispose]();
});

const output = (more: Partial<OutputSpec> = {}): OutputSpec => ({
  name: "app",
  type: "binary",
  path: "app",
  ref: null,
  required: true,
  ...more,
});
const present: FakeBehaviour["outputs"] = (wanted) =>
  wanted.map((one) => ({ output: one, kind: "files", root: directory, files: ["app"], bundle: false }));
const artifacts = () =>
  createArtifactStore({
    base: join(directory, "store"),
    nodeId: newId(),
    instance: "1",
    clock: systemClock,
    log: silentLogger,
    minFreeBytes: 0,
  });
/** A store that takes nothing before the stop. */
const hanging = () => ({
  ...artifacts(),
  putFiles: (_request: unknown, signal?: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason));
    }),
});
const build = { build: [stepPlan("make", { outputs: [output()] })] };

describe("an output", () => {
  it("is stored and registered with the success it proves", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({
      script: { make: { outputs: present } },
      deps: { artifacts: artifacts() },
    });
    const runId = await bench.begin(process, build);
    expect((await bench.view(runId)).status).toBe("success");
    expect(await bench.store.artifacts.ofRun(runId)).toMatchObject([{ name: "app", size: 20 }]);
  });

  it("that is not there fails the step with the executor's sentence", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process();
    const runId = await bench.begin(process, { ...build, test: [stepPlan("unit")] });
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "artifact_missing",
      message: "step make: no file matches app",
      steps: { make: "failed", unit: "skipped" },
    });
    expect(await bench.store.artifacts.ofRun(runId)).toEqual([]);
  });

  it("that cannot be stored fails the step and says why; the others' bytes are not registered", async () => {
    await using bench = await createBench(fixture);
    const full = new Problem("storage_failed", "The disk is full.", { remedy: "Free some space." });
    const process = await bench.process({
      script: { make: { outputs: present } },
      deps: { artifacts: { put: () => Promise.reject(full), putFiles: () => Promise.reject(full) } },
    });
    const runId = await bench.begin(process, build);
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "internal",
      message: "step make: The disk is full. Free some space.",
    });
  });

  it("of a workspace that cannot be read leaves the step's own end as it was told", async () => {
    await using bench = await createBench(fixture);
    const outputs = () => {
      throw new Error("EIO");
    };
    const process = await bench.process({
      script: { unit: { outputs, outcome: fakeOutcomes.failure }, make: { outputs } },
    });
    const tests = [stepPlan("unit", { outputs: [output({ type: "coverage" })] })];
    const failed = await bench.begin(process, { test: tests });
    expect(await bench.view(failed)).toMatchObject({ status: "failed", reason: "script_failed" });
    const built = await bench.begin(process, build);
    expect(await bench.view(built)).toMatchObject({ reason: "internal", message: "step make: EIO" });
  });

  it("of a failed test is kept, and its absence is not the reason", async () => {
    await using bench = await createBench(fixture);
    const outputs: FakeBehaviour["outputs"] = (wanted) =>
      wanted.map((one) =>
        one.name === "app"
          ? { output: one, kind: "files", root: directory, files: ["app"], bundle: false }
          : { output: one, kind: "missing", reason: "artifact_missing", message: "no report" },
      );
    const process = await bench.process({
      script: { unit: { outputs, outcome: fakeOutcomes.failure } },
      deps: { artifacts: artifacts() },
    });
    const wanted = [output({ type: "coverage" }), output({ name: "report", type: "test_report" })];
    const runId = await bench.begin(process, { test: [stepPlan("unit", { outputs: wanted })] });
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason: "script_failed" });
    expect((await bench.store.artifacts.ofRun(runId)).map(({ name }) => name)).toEqual(["app"]);
  });

  it("of an image is what its registry answers; a registry that is away fails the step", async () => {
    await using bench = await createBench(fixture);
    const image = output({ name: "image", type: "oci_image", path: null, ref: "registry.test/app:1" });
    const stages = { build: [stepPlan("push", { outputs: [image] })] };
    const digest = `sha256:${"d".repeat(64)}`;
    const there = await bench.process({
      deps: { artifacts: artifacts(), registry: { digest: async () => digest } },
    });
    const pushed = await bench.begin(there, stages);
    expect(await bench.store.artifacts.ofRun(pushed)).toMatchObject([{ metadata: { imageDigest: digest } }]);
    const away = () => Promise.reject(new Problem("environment", "the registry is away"));
    const gone = await bench.process({ deps: { registry: { digest: away } } });
    const lost = await bench.begin(gone, stages);
    expect((await bench.view(lost)).message).toBe("step push: the registry is away");
  });

  it("whose upload a stop cuts short is uploaded by the next owner of the run", async () => {
    await using bench = await createBench(fixture);
    const uploading = Promise.withResolvers<void>();
    const first = await bench.process({
      script: { make: { outputs: present } },
      deps: {
        artifacts: {
          ...artifacts(),
          putFiles: (_request, signal) =>
            new Promise((_resolve, reject) => {
              signal?.addEventListener("abort", () => reject(signal.reason));
              uploading.resolve();
            }),
        },
      },
    });
    const runId = await bench.accept(first, build);
    await first.own(runId);
    await uploading.promise;
    await first.stop();
    expect((await bench.view(runId)).status).toBe("running");
    const next = await bench.process({ deps: { artifacts: artifacts() } });
    await bench.takeOwnership(runId, first, next);
    expect((await bench.view(runId)).status).toBe("success");
    expect([...bench.world.begins.values()]).toEqual([1]);
  });

  it("whose collection ended two processes is not collected by a third", async () => {
    await using bench = await createBench(fixture);
    const collecting = () =>
      bench.process({ script: { make: { outputs: present } }, deps: { artifacts: artifacts() } });
    const first = await collecting();
    first.gate.hold("executor.outputs", "after");
    const runId = await bench.begin(first, build);
    first.gate.freezeAfter(0);
    const second = await collecting();
    second.gate.hold("artifacts.putFiles", "before");
    await bench.takeOwnership(runId, first, second);
    second.gate.freezeAfter(0);
    expect((await bench.view(runId)).status).toBe("running");
    const third = await collecting();
    await bench.takeOwnership(runId, second, third);
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "internal",
      message: expect.stringMatching(/^step make: The server ended 2 times while it collected the outputs/),
    });
    expect(third.gate.calls.has("executor.outputs")).toBe(false);
  });

  it("is collected however often processes were stopped in order meanwhile, or the database was away", async () => {
    await using bench = await createBench(fixture);
    const runId = await (async () => {
      let before = await bench.process({ script: { make: { outputs: present } } });
      const id = await bench.accept(before, build);
      for (let stops = 0; stops < 4; stops++) {
        const process = await bench.process({
          script: { make: { outputs: present } },
          deps: { artifacts: hanging() },
        });
        const uploading = process.gate.hold("artifacts.putFiles", "before");
        if (!(await bench.store.runs.takeOwnership(id, before.owner, process.owner)))
          throw new Error("not taken");
        await process.own(id);
        await uploading.reached;
        const stopped = process.stop();
        uploading.release();
        await stopped;
        before = process;
      }
      const last = await bench.process({ deps: { artifacts: artifacts() } });
      last.gate.fail("executor.outputs", "before", away());
      await bench.takeOwnership(id, before, last);
      for (let failures = 0; failures < 4; failures++) {
        last.gate.fail("executor.outputs", "before", away());
        await bench.resync();
      }
      await bench.resync();
      return id;
    })();
    expect((await bench.view(runId)).status).toBe("success");
  });
});
