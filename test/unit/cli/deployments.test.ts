import { describe, expect, it } from "vitest";
import type { DeploymentDetail } from "../../../src/services/index.ts";
import { createFakeClient } from "./support/fake-client.ts";
import { finish, type HarnessOptions, start } from "./support/harness.ts";

const unknown: DeploymentDetail = {
  id: "01900000-0000-7000-8000-000000000001",
  target: "local",
  namespace: "demo",
  release: "site\u001b[2J",
  outcome: "unknown",
  digests: ["ab".repeat(32)],
  pipeline_run_id: "01900000-0000-7000-8000-0000000000aa",
  project: "shop",
  pipeline: "site",
  number: 12,
  execution_id: "01900000-0000-7000-8000-0000000000bb",
  resolved_by: null,
  created_at: "2026-03-01T12:00:00.000Z",
  finished_at: null,
};
const settled: DeploymentDetail = {
  ...unknown,
  id: "01900000-0000-7000-8000-000000000002",
  release: null,
  outcome: "failed",
  resolved_by: "ada",
};

async function execute(
  argv: readonly string[],
  deployments: readonly DeploymentDetail[] = [unknown],
  options: Partial<HarnessOptions> = {},
) {
  const client = createFakeClient({ runs: [], deployments });
  const command = start({ argv, client, ...options });
  const code = await finish(command);
  return { code, stdout: command.stdout.text(), stderr: command.stderr.text(), client, command };
}

describe("deployments list", () => {
  it("is a table, in which a name is no control sequence", async () => {
    const { code, stdout, command } = await execute(["deployments", "list"]);
    expect(stdout).toBe(
      "ID                                    OUTCOME  TARGET/NAMESPACE/RELEASE  RUN           STARTED\n" +
        `${unknown.id}  unknown  local/demo/site           shop/site#12  2026-03-01T12:00:00.000Z\n`,
    );
    expect(code).toBe(0);
    expect(command.opened).toEqual(["read"]);
  });

  it("is what `deployments` alone shows; with who settled what, where somebody did", async () => {
    const { stdout } = await execute(["deployments"], [settled, unknown]);
    expect(stdout).toMatch(/ RESOLVED BY\n/);
    expect(stdout).toMatch(/ failed +local\/demo\/- .* ada\n/);
  });

  it("is an array as JSON, also when it is empty", async () => {
    expect(JSON.parse((await execute(["deployments", "-o", "json"])).stdout)).toEqual([unknown]);
    expect((await execute(["deployments", "list", "-o", "json"], [])).stdout).toBe("[]\n");
    expect((await execute(["deployments", "list"], [])).stderr).toBe("note: There are no deployments yet.\n");
  });

  it("turns pages until it has as many as asked for", async () => {
    const many = Array.from({ length: 250 }, () => unknown);
    const { stdout } = await execute(["deployments", "list", "-n", "230", "-o", "json"], many);
    expect(JSON.parse(stdout)).toHaveLength(230);
  });
});

describe("deployments resolve", () => {
  it.each(["succeeded", "failed"])("--%s says so, and that the release is free", async (outcome) => {
    const { code, stdout } = await execute(["deployments", "resolve", unknown.id, `--${outcome}`]);
    expect(stdout).toBe(
      `Resolved deployment ${unknown.id} to local/demo/site as ${outcome}. The next deployment can start.\n`,
    );
    expect(code).toBe(0);
  });

  it("records who asks, and gives the deployment as JSON", async () => {
    const { stdout } = await execute(["deployments", "resolve", "0190", "--failed", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ id: unknown.id, outcome: "failed", resolved_by: "ada" });
  });

  it.each([
    [[], "error: missing required argument 'deployment'"],
    [["0190"], "Exactly one of --succeeded and --failed is required"],
    [["0190", "--succeeded", "--failed"], "Exactly one of --succeeded and --failed is required"],
    [["0190", "--perhaps"], "error: unknown option '--perhaps'"],
    [["ffff", "--failed"], 'there is no deployment "ffff"'],
  ])("%j is refused with exit 2, and settles nothing", async (words, message) => {
    const { code, stderr } = await execute(["deployments", "resolve", ...words]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});
