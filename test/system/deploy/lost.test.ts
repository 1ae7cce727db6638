/** Deploys of which the executor lost sight after they had begun: helm's history is asked, and a person has the last word. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DeploymentDetail } from "../../../src/services/index.ts";
import { onPath, withoutCluster } from "../support/needs.ts";
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

function repository(release: string, template: string): string {
  return cluster.world.repository(release, {
    ".shipinator.yaml": chartPipeline(cluster.namespace).replace("release: site", `release: ${release}`),
    "chart/Chart.yaml": chartYaml(release),
    "chart/templates/object.yaml": template,
  });
}

const helm = () => {
  const directory = (process.env.PATH ?? "").split(delimiter).find((one) => onPath("helm", one));
  return join(directory ?? "", "helm");
};

/**
 * A PATH whose `helm upgrade` does this instead. `die` ends its whole process group at once, with the shim that would
 * have reported its end.
 */
function losing(name: string, instead: string): Record<string, string> {
  const directory = join(cluster.world.root, `bin-${name}`);
  mkdirSync(directory);
  const script = `#!/bin/sh
die() { kill -9 0; }
if [ "$1" = upgrade ]; then
  ${instead}
fi
exec ${helm()} "$@"
`;
  writeFileSync(join(directory, "helm"), script);
  chmodSync(join(directory, "helm"), 0o755);
  return { PATH: `${directory}${delimiter}${process.env.PATH}` };
}

async function newestDeployment(): Promise<DeploymentDetail> {
  const { stdout } = await cluster.shipinator(["deployments", "list", "-n", "1", "-o", "json"]);
  const [newest]: readonly DeploymentDetail[] = JSON.parse(stdout);
  if (newest === undefined) throw new Error("there is no deployment");
  return newest;
}

async function expectUnknown(code: number | null): Promise<string> {
  expect(code).toBe(1);
  const { status, failure_reason, failure_message } = await cluster.world.status();
  expect([status, failure_reason]).toEqual(["failed", "deploy_unknown"]);
  expect(await newestDeployment()).toMatchObject({ outcome: "unknown", finished_at: null });
  await cluster.world.quiet();
  return failure_message ?? "";
}

describe("a deploy that was lost", () => {
  it("after helm had finished it is a success: helm's history says so", async () => {
    const env = losing("finished", `${helm()} "$@"; die`);
    const directory = repository("finished", configMap("there"));
    const { code, stdout } = await cluster.run(directory, env);
    expect(code, stdout).toBe(0);
    const { executions } = await cluster.deployStep();
    expect(executions).toMatchObject([{ status: "succeeded", attempt: 1, exit_code: null }]);
    expect(await cluster.history("finished")).toMatchObject([
      { revision: 1, status: "deployed", description: `shipinator execution ${executions[0]?.id}` },
    ]);
    expect(await newestDeployment()).toMatchObject({ release: "finished", outcome: "succeeded" });
    await cluster.world.quiet();
  });

  it("before helm had done anything is unknown, blocks the release, and is settled by a person", async () => {
    const directory = repository("nothing", configMap("never"));
    const { code, stdout } = await cluster.run(directory, losing("nothing", "die"));
    expect(await expectUnknown(code)).toContain("helm's history does not show it as the newest");
    expect(stdout).toContain("shipinator deployments list");
    await expect(cluster.history("nothing")).rejects.toThrow("not found");

    const { id } = await newestDeployment();
    const blocked = await cluster.run(directory);
    expect(blocked.code).toBe(1);
    expect(blocked.stdout).toContain(`shipinator deployments resolve ${id} --succeeded|--failed`);
    await expect(cluster.history("nothing")).rejects.toThrow("not found");

    const settled = await cluster.shipinator(["deployments", "resolve", id, "--failed"]);
    expect(settled.stdout).toContain(" as failed. ");
    const next = await cluster.run(directory);
    expect(next.code, next.stdout).toBe(0);
    expect(await cluster.history("nothing")).toMatchObject([{ revision: 1, status: "deployed" }]);
  });

  const once = (release: string) =>
    `kubectl wait --for=create deployment/${release} --namespace ${cluster.namespace} --timeout=60s; die`;

  it("in the middle of an installation is unknown, and the command that removes the remains is named", async () => {
    const directory = repository("installing", neverReady);
    const env = losing("installing", `${helm()} "$@" & ${once("installing")}`);
    const message = await expectUnknown((await cluster.run(directory, env)).code);
    const command = `helm uninstall installing --namespace ${cluster.namespace}`;
    expect(message).toContain(`pending-install, which nothing will finish; this removes it: ${command}`);
    expect(await cluster.history("installing")).toMatchObject([{ status: "pending-install" }]);
  });

  it("in the middle of an upgrade is unknown, and the command that goes back is named", async () => {
    const directory = repository("upgrading", configMap("first"));
    expect((await cluster.run(directory)).code).toBe(0);
    writeFileSync(join(directory, "chart/templates/object.yaml"), neverReady);
    const env = losing("upgrading", `${helm()} "$@" & ${once("upgrading")}`);
    const message = await expectUnknown((await cluster.run(directory, env)).code);
    const command = `helm rollback upgrading --namespace ${cluster.namespace}`;
    expect(message).toContain(`pending-upgrade, which nothing will finish; this goes back: ${command}`);
    // What it names works, and after a word about it the release is free.
    await cluster.helm("rollback", "upgrading");
    const { id } = await newestDeployment();
    expect((await cluster.shipinator(["deployments", "resolve", id, "--failed"])).code).toBe(0);
    writeFileSync(join(directory, "chart/templates/object.yaml"), configMap("third"));
    const third = await cluster.run(directory);
    expect(third.code, third.stdout).toBe(0);
  });

  it("when helm cannot be asked is unknown, and why is told", async () => {
    const directory = repository("silent", configMap("x"));
    const env = losing("silent", "die");
    writeFileSync(
      join(env.PATH?.split(delimiter)[0] ?? "", "helm"),
      '#!/bin/sh\n[ "$1" = upgrade ] && kill -9 0\nexit 7\n',
    );
    const message = await expectUnknown((await cluster.run(directory, env)).code);
    expect(message).toContain("helm's history could not be read");
  });
});

describe("a process that was killed during a deploy", () => {
  it("is followed by one that asks about what was lost meanwhile; reading commands leave it open", async () => {
    const release = "killed";
    const directory = repository(release, configMap("there"));
    const env = losing(release, `${helm()} "$@"; echo helm is done; sleep 1000`);
    const running = cluster.start(directory, env);
    await running.said(/helm is done/);
    running.child.kill("SIGKILL");
    await running.ended;
    // The shim first: its step's end would be reported otherwise. What it had started is left behind.
    for (const pattern of [/shipinator-shim/, /sleep 1000|bin-killed/])
      for (const { pid, command } of cluster.world.processes())
        if (pattern.test(command)) process.kill(pid, "SIGKILL");
    const listed = await cluster.shipinator(["list", "-n", "1"]);
    expect(listed.stdout).toMatch(/running/);
    expect(listed.stderr).toContain("Resume it with: shipinator resume");
    const resumed = await cluster.shipinator(["resume"], { env: cluster.env });
    expect(resumed.code, resumed.stdout + resumed.stderr).toBe(0);
    expect(await newestDeployment()).toMatchObject({ release, outcome: "succeeded" });
    expect(await cluster.history(release)).toHaveLength(1);
  });
});
