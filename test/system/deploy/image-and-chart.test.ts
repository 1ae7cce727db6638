/** The example of an image and its chart, whole: built, pushed, recorded, deployed, and running from that very image. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DeploymentDetail } from "../../../src/services/index.ts";
import type { Answer } from "../../support/cli.ts";
import { withoutCluster, withoutImage } from "../support/needs.ts";
import { ClusterWorld } from "./support/cluster.ts";
import { digestOf } from "./support/registry.ts";

const example = fileURLToPath(new URL("../../../examples/image-and-chart", import.meta.url));
const absent = () => withoutCluster() ?? withoutImage("busybox:latest");

let cluster: ClusterWorld;
let directory: string;
let first: Answer;
const pushed = new Set<string>();

beforeAll(async () => {
  if (absent() !== null) return;
  cluster = await ClusterWorld.open();
  directory = join(cluster.world.root, "image-and-chart");
  cpSync(example, directory, { recursive: true });
  adapt(
    ".shipinator.yaml",
    ["registry.example:5000", cluster.registry],
    ["namespace: demo", `namespace: ${cluster.namespace}`],
  );
  adapt("chart/values.yaml", ["registry.example:5000", cluster.registry]);
  adapt("Dockerfile", ["busybox:stable", "busybox:latest"]);
  cluster.world.git(directory, "init", "--quiet");
  cluster.world.commit(directory, "first");
  first = await cluster.run(directory);
});
afterAll(async () => {
  if (pushed.size > 0) execFileSync("docker", ["image", "rm", "--force", ...pushed], { stdio: "pipe" });
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach((context) => {
  const reason = absent();
  if (reason !== null) context.skip(reason);
});

function adapt(file: string, ...replacements: readonly [string, string][]): void {
  const path = join(directory, file);
  let text = readFileSync(path, "utf8");
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`${file} of the example holds no ${from} any more`);
    text = text.replaceAll(from, to);
  }
  writeFileSync(path, text);
}

const commitOf = () => cluster.world.git(directory, "rev-parse", "HEAD");
const reference = () => `${cluster.registry}/demo/site:${commitOf()}`;

async function recorded() {
  const { artifacts } = await cluster.world.status();
  const image = artifacts.find((artifact) => artifact.artifact_type === "oci_image");
  if (image === undefined) throw new Error("the run has recorded no image");
  return image;
}

/** As the node reports what the one pod of the release runs. */
async function running(): Promise<string> {
  const path = "jsonpath={.items[*].status.containerStatuses[0].imageID}";
  return await cluster.kubectl("get", "pods", "--field-selector", "status.phase=Running", "--output", path);
}

describe("the image", () => {
  it("is pushed by its step, and recorded with the digest that the registry answers", async () => {
    expect(first.stderr, first.stdout).not.toMatch(/error/);
    expect(first.code).toBe(0);
    pushed.add(reference());
    const image = await recorded();
    expect(image.metadata).toEqual({
      form: "image_ref",
      path: null,
      ref: reference(),
      imageDigest: await digestOf(reference()),
    });
  });

  it("is what the engine pushed, by the engine's own account", async () => {
    const pushed = execFileSync("docker", [
      "image",
      "inspect",
      reference(),
      "--format",
      "{{json .RepoDigests}}",
    ]);
    expect(JSON.parse(pushed.toString())).toContain(
      `${cluster.registry}/demo/site@${(await recorded()).metadata.imageDigest}`,
    );
  });

  it("leaves a note of reference and digest as the artifact's bytes", async () => {
    const { id, checksum } = await recorded();
    const { stdout } = await cluster.shipinator(["download", id, "--to", "-"]);
    expect(JSON.parse(stdout)).toEqual({ ref: reference(), digest: await digestOf(reference()) });
    expect(createHash("sha256").update(stdout).digest("hex")).toBe(checksum);
  });
});

describe("the chart", () => {
  it("is installed under the execution's id, and runs the image of that digest", async () => {
    const { executions } = await cluster.deployStep();
    expect(await cluster.history("site")).toMatchObject([
      { revision: 1, status: "deployed", description: `shipinator execution ${executions[0]?.id}` },
    ]);
    expect(await running()).toContain((await recorded()).metadata.imageDigest);
  });

  it("is upgraded by the next run, whose image is another", async () => {
    const before = await recorded();
    writeFileSync(join(directory, "site/index.html"), "<h1>second</h1>\n");
    cluster.world.commit(directory, "second");
    const { code, stdout, stderr } = await cluster.run(directory);
    expect(code, stdout + stderr).toBe(0);
    pushed.add(reference());
    const after = await recorded();
    expect(after.metadata.imageDigest).not.toBe(before.metadata.imageDigest);
    const { executions } = await cluster.deployStep();
    expect(await cluster.history("site")).toMatchObject([
      { revision: 1, status: "superseded" },
      { revision: 2, status: "deployed", description: `shipinator execution ${executions[0]?.id}` },
    ]);
    expect(await running()).toContain(after.metadata.imageDigest);
  });

  it("is told of by `deployments list`, newest first", async () => {
    const { stdout } = await cluster.shipinator(["deployments", "list", "-o", "json"]);
    const deployments: readonly DeploymentDetail[] = JSON.parse(stdout);
    const common = { target: "local", namespace: cluster.namespace, release: "site", outcome: "succeeded" };
    expect(deployments).toMatchObject([common, common]);
    const { artifacts, id } = await cluster.world.status();
    expect(deployments[0]?.pipeline_run_id).toBe(id);
    expect([...(deployments[0]?.digests ?? [])].sort()).toEqual(
      artifacts.map(({ checksum }) => checksum).sort(),
    );
  });
});
