import { describe, expect, it } from "vitest";
import type {
  CollectedOutput,
  DeployConfig,
  Outcome,
  PipelineConfig,
  StepConfig,
  StepPlan,
  TemplateVariables,
} from "../../../src/domain/index.ts";
import { buildinator, deployinator, releaseName, testinator } from "../../../src/domain/index.ts";
import { type ArtifactId, type ExecutionId, newId } from "../../../src/kernel/index.ts";

const variables: TemplateVariables = {
  commit: "0123456789abcdef0123456789abcdef01234567",
  short_commit: "0123456789ab",
  ref: "refs/heads/main",
  branch: "main",
  tag: "",
  run_id: "run",
  run_number: "7",
  pipeline: "My App",
};

const stepConfig: StepConfig = {
  name: "compile",
  run: "echo {{ .commit }}",
  shell: null,
  image: null,
  env: {},
  timeoutSeconds: 60,
  retry: null,
  secrets: [],
  parallelGroup: null,
  outputs: [],
};

const deployConfig: DeployConfig = {
  artifact: "chart",
  artifactType: "helm_chart",
  target: "local",
  namespace: "default",
  release: null,
  run: null,
  shell: null,
  image: null,
  env: {},
  timeoutSeconds: 60,
  secrets: [],
};

function config(given: Partial<PipelineConfig>): PipelineConfig {
  return { build: null, test: null, deploy: null, submodules: false, ...given };
}

function only(plans: readonly StepPlan[] | null): StepPlan {
  const [plan, ...rest] = plans ?? [];
  if (plan === undefined || rest.length > 0) throw new Error("one plan was expected");
  return plan;
}

const success: Outcome = {
  began: true,
  begunAt: new Date(0),
  endedAt: new Date(1),
  exitCode: 0,
  reason: null,
  message: null,
  workspaceWhole: false,
  logBytes: 0,
  logDropped: 0,
  killedBy: null,
};
const found: CollectedOutput = {
  name: "app",
  type: "binary",
  found: true,
  artifactId: newId<ArtifactId>(),
  sha256: "0".repeat(64),
  size: 1,
  storagePath: "p",
  metadata: { form: "file", path: "bin/app" },
};
const absent: CollectedOutput = {
  name: "app",
  type: "binary",
  found: false,
  required: true,
  reason: "artifact_missing",
  message: "no file matches bin/app",
};

describe("a stage that the file does not have", () => {
  it.each([buildinator, testinator, deployinator])("plans nothing", (inator) => {
    expect(inator.plan(config({}), { variables, graceSeconds: 10 })).toBeNull();
  });
});

describe("the buildinator", () => {
  const output = {
    name: "image",
    type: "oci_image",
    path: null,
    ref: "host/app:{{ .short_commit }}",
  } as const;
  const file = config({
    build: { steps: [{ ...stepConfig, env: { TAG: "v{{ run_number }}" }, outputs: [output] }] },
  });
  const plan = only(buildinator.plan(file, { variables, graceSeconds: 10 }));

  it("fills variables in declarative fields and never in scripts", () => {
    expect(plan.outputs[0]?.ref).toBe("host/app:0123456789ab");
    expect(plan.env.TAG).toBe("v7");
    expect(plan.command).toBe("echo {{ .commit }}");
  });

  it("gives scripts the facts in the environment, over whatever the file says", () => {
    expect(plan.env).toMatchObject({
      CI: "true",
      SHIPINATOR_COMMIT: variables.commit,
      SHIPINATOR_BRANCH: "main",
    });
  });

  it("wants outputs of a success only", () => {
    expect(buildinator.wanted(plan, success)).toEqual(plan.outputs);
    expect(buildinator.wanted(plan, { ...success, exitCode: 1, reason: "script_failed" })).toEqual([]);
  });
});

describe("the testinator", () => {
  const build = {
    steps: [{ ...stepConfig, outputs: [{ name: "app", type: "binary", path: "bin/app", ref: null }] }],
  } as const;
  const test = {
    steps: [{ ...stepConfig, outputs: [{ name: "cov", type: "coverage", path: "c.out", ref: null }] }],
  } as const;
  const plan = only(testinator.plan(config({ build, test }), { variables, graceSeconds: 10 }));

  it("restores what the build left", () => {
    expect(plan.inputs).toEqual([{ name: "app", type: "binary", path: "bin/app" }]);
  });

  it("keeps reports of a failed step too, but not of one that never ended by itself", () => {
    expect(testinator.wanted(plan, { ...success, exitCode: 1, reason: "script_failed" })).toEqual(
      plan.outputs,
    );
    expect(testinator.wanted(plan, { ...success, exitCode: null, reason: "executor_lost" })).toEqual([]);
  });
});

describe("a result", () => {
  const plan = only(
    buildinator.plan(config({ build: { steps: [stepConfig] } }), { variables, graceSeconds: 10 }),
  );
  const result = (outcome: Partial<Outcome>, collected: readonly CollectedOutput[] = []) =>
    buildinator.evaluate(plan, { ...success, ...outcome }, collected).result;

  it("is success with exit 0, a report and every output", () => {
    expect(result({}, [found])).toEqual({ state: "succeeded" });
  });

  it.each([
    ["an output is missing", {}, [absent], { state: "failed", reason: "artifact_missing" }],
    [
      "the script failed",
      { exitCode: 3, reason: "script_failed" as const },
      [],
      { state: "failed", reason: "script_failed" },
    ],
    [
      "the script failed, whatever else is missing",
      { exitCode: 3, reason: "script_failed" as const },
      [absent],
      { state: "failed", reason: "script_failed" },
    ],
    ["there is no exit status at all", { exitCode: null }, [], { state: "failed", reason: "internal" }],
    ["an exit status without a reason", { exitCode: 4 }, [], { state: "failed", reason: "script_failed" }],
    [
      "time ran out",
      { exitCode: null, reason: "timed_out" as const },
      [],
      { state: "failed", reason: "timed_out" },
    ],
    [
      "it was canceled",
      { exitCode: null, reason: "canceled" as const },
      [],
      { state: "canceled", reason: "canceled" },
    ],
    [
      "the executor lost it",
      { exitCode: null, reason: "executor_lost" as const },
      [],
      { state: "lost", reason: "executor_lost" },
    ],
  ])("is not when %s", (_when, outcome, collected, expected) => {
    expect(result(outcome, collected)).toMatchObject(expected);
  });

  it("keeps the artifacts that were found beside what is missing", () => {
    expect(buildinator.evaluate(plan, success, [found, absent]).artifacts).toEqual([found]);
  });
});

describe("the deployinator", () => {
  const plan = (deploy: Partial<DeployConfig>) =>
    only(
      deployinator.plan(config({ deploy: { ...deployConfig, ...deploy } }), { variables, graceSeconds: 10 }),
    );

  it("deploys a chart by helm, under the pipeline's name, and gives helm time to stop", () => {
    const chart = plan({});
    expect(chart).toMatchObject({ source: "none", graceSeconds: 60, retry: null });
    expect(chart.deploy).toEqual({ target: "local", namespace: "default", release: "my-app", kind: "helm" });
    expect(chart.command).toContain("helm upgrade --install");
    expect(chart.env).toMatchObject({ SHIPINATOR_RELEASE: "my-app", SHIPINATOR_ARTIFACT: "chart" });
  });

  it("applies manifests by kubectl", () => {
    const manifest = plan({ artifactType: "manifest", artifact: "m", namespace: "n-{{ short_commit }}" });
    expect(manifest.command).toContain("kubectl apply");
    expect(manifest.deploy).toMatchObject({ kind: "manifest", namespace: "n-0123456789ab" });
  });

  it("runs the file's own script as it stands", () => {
    expect(plan({ run: "echo $SHIPINATOR_ARTIFACTS_DIR" })).toMatchObject({
      command: "echo $SHIPINATOR_ARTIFACTS_DIR",
      deploy: { kind: "script" },
    });
  });

  it("puts no name of the file into a script", () => {
    const hostile = "x; touch /tmp/pwned";
    expect(plan({ namespace: hostile, release: hostile, artifact: hostile }).command).not.toContain("pwned");
  });

  const lost = { ...success, exitCode: null, reason: "executor_lost", message: "gone" } as const;
  const attempt = newId<ExecutionId>();

  it("does not know the outcome of a deploy that was lost after it began", () => {
    expect(deployinator.evaluate(plan({}), lost, []).result).toMatchObject({
      state: "lost",
      reason: "deploy_unknown",
    });
    const before = { ...lost, began: false, begunAt: null };
    expect(deployinator.evaluate(plan({}), before, []).result).toMatchObject({ reason: "executor_lost" });
  });

  it("asks helm about it, in the deploy's own surroundings, by the execution's id", () => {
    const chart = plan({ env: { HELM_DRIVER: "configmap" }, secrets: ["TOKEN"], timeoutSeconds: 3600 });
    const step = deployinator.probe?.(chart, attempt, lost);
    expect(step).toMatchObject({
      env: { ...chart.env, SHIPINATOR_DEPLOY_EXECUTION_ID: attempt },
      secrets: ["TOKEN"],
      inputs: [],
      outputs: [],
      source: "none",
      timeoutSeconds: 60,
      retry: null,
      deploy: null,
    });
    expect(step?.command).not.toMatch(/helm (upgrade|install|uninstall|rollback)/);
  });

  it.each([
    ["a success", {}, success],
    ["a failure", {}, { ...success, exitCode: 1, reason: "script_failed" as const }],
    ["a cancel", {}, { ...lost, reason: "canceled" as const }],
    ["an attempt that never began", {}, { ...lost, began: false, begunAt: null }],
    ["manifests", { artifactType: "manifest" as const }, lost],
    ["a script", { run: "true" }, lost],
  ])("asks nobody about %s", (_what, deploy, outcome) => {
    expect(deployinator.probe?.(plan(deploy), attempt, outcome)).toBeNull();
  });

  it("takes only a clean answer for a success", () => {
    const result = (probed: Partial<Outcome>) =>
      deployinator.evaluate(plan({}), lost, [], { ...success, ...probed }).result;
    expect(result({})).toEqual({ state: "succeeded" });
    for (const probed of [
      { exitCode: 13, reason: "script_failed" as const },
      { exitCode: null, reason: "timed_out" as const },
      { exitCode: null, reason: null },
      { exitCode: 0, reason: "internal" as const },
    ])
      expect(result(probed)).toMatchObject({ state: "lost", reason: "deploy_unknown" });
  });
});

describe("a release name", () => {
  it.each([
    ["My App", "my-app"],
    ["--x--", "x"],
    ["日本", "release"],
    ["a".repeat(60), "a".repeat(53)],
    [`${"a".repeat(52)}-b`, "a".repeat(52)],
  ])("of %j is %j", (pipeline, name) => {
    expect(releaseName(pipeline)).toBe(name);
  });
});
