/** Charts by `helm upgrade --install`: how a deploy fails, is ended, and what stays of it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { withoutCluster } from "../support/needs.ts";
import { ClusterWorld, chartPipeline, chartYaml, configMap, neverReady } from "./support/cluster.ts";

let cluster: ClusterWorld;

beforeAll(async () => {
  if (withoutCluster() === null) cluster = await ClusterWorld.open();
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach((context) => {
  const reason = withoutCluster();
  if (reason !== null) context.skip(reason);
});

/** A repository whose chart has this template; its release goes by the repository's name. */
function repository(release: string, template: string, more = ""): string {
  return cluster.world.repository(release, {
    ".shipinator.yaml": chartPipeline(cluster.namespace, more).replace(
      "release: site",
      `release: ${release}`,
    ),
    "chart/Chart.yaml": chartYaml(release),
    "chart/templates/object.yaml": template,
  });
}

function change(directory: string, template: string): void {
  writeFileSync(join(directory, "chart/templates/object.yaml"), template);
}

const statuses = async (release: string) => (await cluster.history(release)).map(({ status }) => status);

describe("a chart", () => {
  it("that helm cannot render fails the deploy with what helm said, and frees the release for the next", async () => {
    const directory = repository("unrendered", "{{ .Values.none.deeper }}\n");
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toContain("✗ deploy/deploy: script_failed, exit status 1\n");
    expect(stdout).toMatch(/^ {2}\| .*nil pointer evaluating/m);
    expect(await cluster.world.status()).toMatchObject({ status: "failed", failure_reason: "script_failed" });
    change(directory, configMap("mended"));
    const second = await cluster.run(directory);
    expect(second.code, second.stdout).toBe(0);
    expect(await statuses("unrendered")).toEqual(["deployed"]);
  });

  it("that the cluster refuses is in helm's history as failed", async () => {
    const directory = repository("refused", configMap("first"));
    expect((await cluster.run(directory)).code).toBe(0);
    change(directory, configMap("second").replace("data:", "data:\n  wrong: { not: text }"));
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}\| Error: UPGRADE FAILED/m);
    expect(await statuses("refused")).toEqual(["deployed", "failed"]);
  });

  it("that was packaged by helm itself is taken as it is", async () => {
    const directory = repository("packaged", configMap("packaged"));
    const file = chartPipeline(cluster.namespace)
      .replace("release: site", "release: packaged")
      .replace('"true"', "helm package chart")
      .replace("path: chart", "path: packaged-*.tgz");
    writeFileSync(join(directory, ".shipinator.yaml"), file);
    const { code, stdout } = await cluster.run(directory);
    expect(code, stdout).toBe(0);
    expect(await statuses("packaged")).toEqual(["deployed"]);
  });

  it("is found below its artifact, and a chart inside it is not taken for it", async () => {
    const directory = repository("nested", configMap("nested"));
    mkdirSync(join(directory, "chart/charts/inner/templates"), { recursive: true });
    writeFileSync(join(directory, "chart/charts/inner/Chart.yaml"), chartYaml("inner"));
    const { code, stdout } = await cluster.run(directory);
    expect(code, stdout).toBe(0);
    expect(JSON.parse(await cluster.helm("list", "--output", "json", "--filter", "nested"))).toMatchObject([
      { chart: "nested-0.1.0" },
    ]);
  });

  it("that is none says so", async () => {
    const directory = repository("none", configMap("none"));
    writeFileSync(
      join(directory, ".shipinator.yaml"),
      chartPipeline(cluster.namespace).replace("path: chart", "path: chart/templates"),
    );
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toContain("holds no Chart.yaml, so there is no chart to deploy");
  });
});

describe("a deploy that does not become ready", () => {
  it("is ended by its timeout, and helm is given the time to write that down", async () => {
    const directory = repository("slow", neverReady, "  timeout: 5s\n");
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toContain("✗ deploy/deploy: timed_out");
    expect(await statuses("slow")).toEqual(["failed"]);
    expect(await cluster.deployStep()).toMatchObject({
      executions: [{ status: "failed", failure_reason: "timed_out" }],
    });
  });

  it("is ended by Ctrl-C in the same way; the next deploy goes on from there", async () => {
    const directory = repository("canceled", neverReady);
    const running = cluster.start(directory);
    await running.said(/\[deploy\/deploy\] Release "canceled" does not exist/);
    await cluster.kubectl("wait", "--for=create", "deployment/canceled", "--timeout=60s");
    running.child.kill("SIGINT");
    const { code } = await running.ended;
    expect(code).toBe(130);
    expect(await statuses("canceled")).toEqual(["failed"]);
    const { status, failure_reason } = await cluster.world.status();
    expect([status, failure_reason]).toEqual(["canceled", "canceled"]);
    await cluster.world.quiet();
    change(directory, configMap("after all"));
    const second = await cluster.run(directory);
    expect(second.code, second.stdout).toBe(0);
    expect(await statuses("canceled")).toEqual(["superseded", "deployed"]);
  });
});

describe("a machine that lacks what a deploy needs", () => {
  it("is told that there is no kubeconfig, by the file that is not there", async () => {
    const directory = repository("unconfigured", configMap("x"));
    const named = await cluster.run(directory, { KUBECONFIG: "/nonexistent/config" });
    expect(named.code).toBe(1);
    expect(named.stdout).toContain(
      "there is no kubeconfig (/nonexistent/config), so it is not known which cluster",
    );
    const usual = await cluster.run(directory, { KUBECONFIG: "" });
    expect(usual.stdout).toContain(`there is no kubeconfig (${cluster.world.home}/.kube/config)`);
  });

  it("finds the kubeconfig among several", async () => {
    const directory = repository("several", configMap("x"));
    const { code, stdout } = await cluster.run(directory, {
      KUBECONFIG: `/nonexistent/config:${process.env.KUBECONFIG}`,
    });
    expect(code, stdout).toBe(0);
  });

  it("is told when helm cannot reach the cluster", async () => {
    const kubeconfig = join(cluster.world.root, "elsewhere");
    writeFileSync(
      kubeconfig,
      "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{ name: a, cluster: { server: http://127.0.0.1:1 } }]\ncontexts: [{ name: a, context: { cluster: a, user: a } }]\nusers: [{ name: a, user: {} }]\n",
    );
    const { code, stdout } = await cluster.run(repository("unreachable", configMap("x")), {
      KUBECONFIG: kubeconfig,
    });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}\| Error: .*127\.0\.0\.1:1/m);
  });

  it("is told that helm is not there", async () => {
    const directory = repository("toolless", configMap("x"));
    const { code, stdout } = await cluster.run(directory, {
      PATH: `${join(process.execPath, "..")}:/usr/bin:/bin`,
    });
    expect(code).toBe(1);
    expect(stdout).toContain("helm is not on this machine's PATH, so nothing was deployed");
    expect(stdout).toContain("script_failed, exit status 127");
  });
});
