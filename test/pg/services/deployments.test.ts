import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../../../src/kernel/index.ts";
// Not part of the face: what it needs of an application is a database alone.
import { createAuthorize } from "../../../src/services/auth/authorize.ts";
import { localCaller } from "../../../src/services/index.ts";
import { deploymentOperations } from "../../../src/services/runs/deployments.ts";
import { advance, createFixture, type End, type Fixture, stepPlan } from "../fixture.ts";

let fixture: Fixture;
let operations: ReturnType<typeof deploymentOperations>;
beforeAll(async () => {
  fixture = await createFixture();
  const { store } = fixture;
  const caller = localCaller("ann");
  const deps = { database: async () => ({ store }) };
  operations = deploymentOperations({
    deps,
    caller,
    authorize: createAuthorize(caller, { write: async () => {} }),
  });
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** The id of a deployment to a release of its own that ended so; null: it has not ended. */
async function deployed(release: string, end: End | null): Promise<string> {
  const deploy = { target: "local", namespace: "demo", release, kind: "helm" } as const;
  const { id } = await fixture.store.runs.accept(fixture.newRun, () => [
    { type: "deploy", steps: [stepPlan("deploy", { source: "none", deploy })] },
  ]);
  await advance(fixture, id);
  if (end !== null) await advance(fixture, id, { ends: { deploy: end } });
  const [row] = await fixture.store.deployments.ofRun(id);
  if (row === undefined) throw new Error("no deployment");
  return row.id;
}

describe("deployments", () => {
  it("are listed newest first, page by page, as plain data", async () => {
    const first = await deployed("listed-1", "succeeded");
    const second = await deployed("listed-2", null);
    const page = await operations.deployments({ limit: 1 });
    expect(page.items).toMatchObject([
      {
        id: second,
        outcome: "active",
        target: "local",
        namespace: "demo",
        finished_at: null,
        resolved_by: null,
      },
    ]);
    expect(page.items).toEqual(JSON.parse(JSON.stringify(page.items)));
    const rest = await operations.deployments({ limit: 1, cursor: page.next_cursor ?? "" });
    expect(rest.items).toMatchObject([{ id: first, outcome: "succeeded" }]);
  });
});

describe("settling a deployment", () => {
  it.each(["succeeded", "failed"] as const)(
    "as %s records who did it, and frees the release",
    async (outcome) => {
      const id = await deployed(`settled-${outcome}`, "lost");
      const resolved = await operations.resolveDeployment(id, outcome, "ada");
      expect(resolved).toMatchObject({ id, outcome, resolved_by: "ada", finished_at: expect.any(String) });
      await deployed(`settled-${outcome}`, "succeeded");
    },
  );

  it("takes the beginning of an id", async () => {
    const id = await deployed("prefix", "lost");
    expect(await operations.resolveDeployment(id.slice(0, -4), "failed", "ada")).toMatchObject({ id });
  });

  it.each([
    ["succeeded", "it is succeeded"],
    ["failed", "it is failed"],
    [null, "it is still under way"],
  ] as const)("is refused when its execution has %s", async (end, state) => {
    const id = await deployed(`known-${end}`, end);
    await expect(operations.resolveDeployment(id, "failed", "ada")).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining(state),
    });
  });

  it("is done once: the second is told who was first", async () => {
    const id = await deployed("twice", "lost");
    await operations.resolveDeployment(id, "failed", "ada");
    await expect(operations.resolveDeployment(id, "succeeded", "bob")).rejects.toThrow(
      "ada has settled it as failed",
    );
  });

  it.each(["", "nope", newId(), "' or true --", "%"])(
    "of %j is refused: there is none",
    async (reference) => {
      await expect(operations.resolveDeployment(reference, "failed", "ada")).rejects.toMatchObject({
        code: "not_found",
      });
    },
  );

  it("asks for more of an id that begins like another's", async () => {
    await deployed("like-1", "lost");
    const id = await deployed("like-2", "lost");
    await expect(operations.resolveDeployment(id.slice(0, 1), "failed", "ada")).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("more than one"),
    });
  });
});
