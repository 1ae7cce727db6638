import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type PipelineId, type ProjectId } from "../../src/kernel/index.ts";
import type { Client } from "../../src/services/index.ts";
import { createServiceBench, type ServiceBench, type Team } from "./operations-bench.ts";

let bench: ServiceBench;
let local: Client;
let team: Team;
beforeAll(async () => {
  bench = await createServiceBench();
  ({ local } = bench);
  team = await bench.team("web");
});
afterAll(() => bench[Symbol.asyncDispose]());

let count = 0;
const fresh = (what: string) => `${what}-${++count}`;
const address = () => `https://git.example/${fresh("r")}`;
const project = async () => (await local.projects.create({ name: fresh("p") })).id;
const repository = async () =>
  (await local.repositories.create({ project_id: await project(), clone_url: address() })).id;

const bad = ["", "a\0b", "two\nlines", "\t", "\u0085", "\ud800", "x".repeat(1025)];
const good = ["a", "web (staging) #2", "Füße 🚀", "'; drop table projects; --", "%_\\"];

describe("projects", () => {
  it.each(good)("are called %j", async (name) => {
    const made = await local.projects.create({ name });
    expect(made).toMatchObject({ name, description: "" });
    expect(await local.projects.get(made.id)).toEqual(made);
    expect((await local.projects.list({ limit: 1 })).items).toEqual([made]);
  });

  it.each(bad)("are not called %j", async (name) => {
    const refused = { code: "usage", place: "name" };
    await expect(local.projects.create({ name })).rejects.toMatchObject(refused);
    await expect(local.projects.update(team.project, { name })).rejects.toMatchObject(refused);
  });

  it.each(["a\0b", "\udc00", "x".repeat(20_000)])("are not described as %j", async (description) => {
    await expect(local.projects.create({ name: fresh("p"), description })).rejects.toMatchObject({
      code: "usage",
      place: "description",
    });
  });

  it("have one name each", async () => {
    const taken = { code: "conflict", message: expect.stringContaining('a project "web"') };
    await expect(local.projects.create({ name: "web" })).rejects.toMatchObject(taken);
    await expect(local.projects.update(await project(), { name: "web" })).rejects.toMatchObject(taken);
  });

  it("are made once under an id, also when asked at once", async () => {
    const asked = { id: newId<ProjectId>(), name: fresh("p"), description: "text" };
    const made = await Promise.all([1, 2, 3].map(() => local.projects.create(asked)));
    expect(new Set(made.map((one) => JSON.stringify(one))).size).toBe(1);
    await expect(local.projects.create({ ...asked, description: "other" })).rejects.toMatchObject({
      code: "conflict",
      place: "id",
    });
    await expect(local.projects.create({ ...asked, id: "no id" })).rejects.toMatchObject({
      code: "usage",
      place: "id",
    });
  });

  it("are changed where something is said", async () => {
    const made = await local.projects.create({ name: fresh("p"), description: "before" });
    const described = await local.projects.update(made.id, { description: "after" });
    expect(described).toMatchObject({ name: made.name, description: "after", created_at: made.created_at });
    expect(described.updated_at > made.updated_at).toBe(true);
    const name = fresh("renamed");
    expect(await local.projects.update(made.id, { name })).toMatchObject({ name, description: "after" });
  });

  it("are found and changed by name as well", async () => {
    const made = await local.projects.create({ name: fresh("p") });
    expect(await local.projects.get(made.name)).toEqual(made);
    const name = fresh("renamed");
    expect(await local.projects.update(made.name, { name })).toMatchObject({ id: made.id, name });
    await expect(local.projects.get(made.name)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("logins for registries", () => {
  it("are kept by host however it is spelled, and Docker Hub by the name of its registry", async () => {
    const id = await project();
    const login = { username: "robot", secret: "KEY" };
    await local.registries.put(id, "Registry.Example:5000", login);
    await local.registries.put(id, "registry.example:5000", { ...login, username: "other" });
    await local.registries.put(id, "docker.io", login);
    const kept = (await local.registries.list(id)).map(({ host, username }) => [host, username]);
    expect(kept).toEqual([
      ["registry-1.docker.io", "robot"],
      ["registry.example:5000", "other"],
    ]);
    await local.registries.remove(id, "index.docker.io");
    await expect(local.registries.remove(id, "docker.io")).rejects.toMatchObject({ code: "not_found" });
  });

  it.each([
    ["https://registry.example", {}, "is not the host"],
    ["registry.example/team", {}, "is not the host"],
    ["", {}, "is not the host"],
    ["a\0b", {}, "is not the host"],
    [`${"a".repeat(260)}`, {}, "is not the host"],
    ["registry.example", { username: "a:b" }, "cannot be the user name"],
    ["registry.example", { username: "" }, "cannot be the user name"],
    ["registry.example", { username: "\udc00" }, "surrogate"],
    ["registry.example", { secret: "CI" }, "cannot be the name"],
  ])("are not made for %j with %j", async (host, asked, words) => {
    const login = { username: "robot", secret: "KEY", ...asked };
    const message = expect.stringContaining(words);
    await expect(local.registries.put(team.project, host, login)).rejects.toMatchObject({ message });
  });
});

describe("pipelines", () => {
  it("are found by id and by a name that is unique for who asks", async () => {
    const repository_id = await repository();
    const made = await local.pipelines.create({ repository_id, name: "nightly", trigger_type: "push" });
    expect(made).toMatchObject({ repository_id, name: "nightly", trigger_type: "push" });
    expect(await local.pipelines.get(made.id)).toEqual(made);
    expect(await local.pipelines.get("nightly")).toEqual(made);
    const second = await local.pipelines.create({ repository_id: await repository(), name: "nightly" });
    await expect(local.pipelines.get("nightly")).rejects.toMatchObject({ code: "usage" });
    const one = bench.operations.as(await bench.caller("read", second.project_id));
    expect(await one.pipelines.get("nightly")).toEqual(second);
    for (const none of ["", "none", "\ud800", newId(), "%"])
      await expect(local.pipelines.get(none)).rejects.toMatchObject({ code: "not_found" });
    await expect(local.pipelines.get("\0")).rejects.toMatchObject({ code: "usage" });
  });

  it.each(bad)("are not called %j", async (name) => {
    const refused = { code: "usage", place: "name" };
    await expect(local.pipelines.create({ repository_id: team.repository, name })).rejects.toMatchObject(
      refused,
    );
    await expect(local.pipelines.update(team.pipeline, { name })).rejects.toMatchObject(refused);
  });

  it("have one name in a repository", async () => {
    const taken = { code: "conflict", message: expect.stringContaining('a pipeline "web"') };
    await expect(
      local.pipelines.create({ repository_id: team.repository, name: "web" }),
    ).rejects.toMatchObject(taken);
    const { id } = await local.pipelines.create({ repository_id: team.repository, name: fresh("n") });
    await expect(local.pipelines.update(id, { name: "web" })).rejects.toMatchObject(taken);
    const changed = await local.pipelines.update(id, { trigger_type: "pull_request" });
    expect(changed).toMatchObject({ trigger_type: "pull_request" });
    expect(changed.updated_at > changed.created_at).toBe(true);
  });

  it("have one name in a project, whatever their repositories, also when asked at once", async () => {
    const project_id = await project();
    const repositories = await Promise.all(
      [1, 2].map(() => local.repositories.create({ project_id, clone_url: address() })),
    );
    const asked = await Promise.allSettled(
      repositories.map(({ id }) => local.pipelines.create({ repository_id: id, name: "app" })),
    );
    expect(asked.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const [first, second] = repositories;
    const { id } = await local.pipelines.create({
      repository_id: (asked[0]?.status === "fulfilled" ? second : first)?.id ?? "",
      name: "other",
    });
    await expect(local.pipelines.update(id, { name: "app" })).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/has a pipeline "app" already, of https:/),
    });
  });

  it("are made once under an id", async () => {
    const asked = { id: newId<PipelineId>(), repository_id: await repository(), name: "once" };
    const made = await Promise.all([1, 2].map(() => local.pipelines.create(asked)));
    expect(made[0]).toEqual(made[1]);
    await expect(local.pipelines.create({ ...asked, name: "twice" })).rejects.toMatchObject({
      code: "conflict",
      place: "id",
    });
  });

  it("are listed by project and repository, page by page", async () => {
    const project_id = await project();
    const ids: string[] = [];
    for (let i = 0; i < 2; i += 1) {
      const { id } = await local.repositories.create({ project_id, clone_url: address() });
      ids.push((await local.pipelines.create({ repository_id: id, name: `p-${i}` })).id);
    }
    const first = await local.pipelines.list({ project_id, limit: 1 });
    expect(first.items.map(({ id }) => id)).toEqual([ids[1]]);
    const cursor = first.next_cursor ?? "";
    const rest = await local.pipelines.list({ project_id, limit: 1, cursor });
    expect(rest).toMatchObject({ items: [{ id: ids[0] }], next_cursor: null });
    // A cursor leads nowhere in another list.
    for (const other of [
      () => local.pipelines.list({ cursor }),
      () => local.pipelines.list({ project_id: team.project, cursor }),
      () => local.projects.list({ cursor }),
    ])
      await expect(other()).rejects.toMatchObject({ code: "usage", place: "cursor" });
  });
});
