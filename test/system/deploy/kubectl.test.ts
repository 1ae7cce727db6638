/** Manifests, which go to the cluster by `kubectl apply`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { withoutCluster } from "../support/needs.ts";
import { ClusterWorld } from "./support/cluster.ts";

let cluster: ClusterWorld;

beforeAll(async () => {
  if (withoutCluster() !== null) return;
  cluster = await ClusterWorld.open();
  await cluster.kubectl("create", "namespace", cluster.namespace);
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach((context) => {
  const reason = withoutCluster();
  if (reason !== null) context.skip(reason);
});

const configMap = (name: string, text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { text: "${text}" }\n`;

const pipeline = (path: string, namespace = cluster.namespace) => `build:
  steps:
    - { name: manifests, run: "true", outputs: [{ type: manifest, name: manifests, path: ${path} }] }
deploy: { artifact: manifest, namespace: ${namespace} }
`;

const textOf = (name: string) =>
  cluster.kubectl("get", "configmap", name, "--output", "jsonpath={.data.text}");

describe("manifests", () => {
  it("of a directory are applied with all that is below it, and again when they have changed", async () => {
    const directory = cluster.world.repository("directory", {
      ".shipinator.yaml": pipeline("deploy"),
      "deploy/a.yaml": configMap("in-directory", "first"),
      "deploy/more/b.yaml": configMap("below-directory", "first"),
    });
    const first = await cluster.run(directory);
    expect(first.code, first.stdout + first.stderr).toBe(0);
    expect(first.stdout).toContain("configmap/in-directory created");
    expect(await textOf("below-directory")).toBe("first");
    writeFileSync(join(directory, "deploy/a.yaml"), configMap("in-directory", "second"));
    const second = await cluster.run(directory);
    expect(second.stdout).toContain("configmap/in-directory configured");
    expect(second.stdout).toContain("configmap/below-directory unchanged");
    expect(await textOf("in-directory")).toBe("second");
  });

  it.each([
    ["one file", "app.yaml"],
    ["a glob of two", "*.app.yaml"],
  ])("of %s are applied", async (what, path) => {
    const name = what.replaceAll(" ", "-");
    const directory = cluster.world.repository(name, {
      ".shipinator.yaml": pipeline(`"${path}"`),
      "app.yaml": configMap(name, "one"),
      "x.app.yaml": configMap(`${name}-x`, "x"),
      "y.app.yaml": configMap(`${name}-y`, "y"),
    });
    const { code, stdout, stderr } = await cluster.run(directory);
    expect(code, stdout + stderr).toBe(0);
    if (path === "app.yaml") expect(await textOf(name)).toBe("one");
    else expect(await Promise.all([textOf(`${name}-x`), textOf(`${name}-y`)])).toEqual(["x", "y"]);
  });

  it("that the cluster refuses fail the deploy with what kubectl said", async () => {
    const directory = cluster.world.repository("refused", {
      ".shipinator.yaml": pipeline("app.yaml"),
      "app.yaml": "apiVersion: v1\nkind: Nonsense\nmetadata: { name: x }\n",
    });
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toContain("✗ deploy/deploy: script_failed, exit status 1\n");
    expect(stdout).toMatch(/^ {2}\| .*no matches for kind "Nonsense"/m);
    expect(await cluster.world.status()).toMatchObject({ status: "failed", phase: "deploying" });
  });

  it("for a namespace that does not exist fail with its name", async () => {
    const directory = cluster.world.repository("nowhere", {
      ".shipinator.yaml": pipeline("app.yaml", "shipinator-test-nowhere"),
      "app.yaml": configMap("nowhere", "x"),
    });
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toContain('namespaces "shipinator-test-nowhere" not found');
  });
});
