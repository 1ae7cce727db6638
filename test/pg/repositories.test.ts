import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type ProjectId, type RepositoryId } from "../../src/kernel/index.ts";
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

describe("repositories", () => {
  it("keep the address in its canonical spelling", async () => {
    const made = await local.repositories.create({
      project_id: await project(),
      clone_url: "HTTPS://Git.Example/team/app.git/",
      vcs_provider: "forgejo",
      default_branch: "trunk",
    });
    expect(made).toMatchObject({
      clone_url: "https://git.example/team/app.git",
      vcs_provider: "forgejo",
      default_branch: "trunk",
    });
    const changed = await local.repositories.update(made.id, { default_branch: null });
    expect(changed).toMatchObject({ default_branch: null, vcs_provider: "forgejo" });
    expect(changed.updated_at > made.updated_at).toBe(true);
  });

  it.each([
    "https://user:s3cr3t@git.example/a",
    "https://token@git.example/a",
    "ssh://git:s3cr3t@git.example/a",
    "https://git.example/a?private_token=s3cr3t",
    "https://git.example/a#s3cr3t",
    "user:s3cr3t@git.example:a",
    "http://git.example/a",
    "file:///srv/a",
    "ext::sh -c id",
    "-oProxyCommand=id",
    "a\nb",
    "",
  ])("are not at %j, and the answer holds no credential", async (clone_url) => {
    const asked = { project_id: team.project, clone_url };
    for (const ask of [
      () => local.repositories.create(asked),
      () => local.repositories.update(team.repository, { clone_url }),
    ]) {
      const error = await ask().catch((one: unknown) => one);
      expect(error).toMatchObject({ code: "source_refused" });
      expect(JSON.stringify(error) + String(error)).not.toContain("s3cr3t");
    }
    expect(JSON.stringify(await local.audit({ limit: 1000 }))).not.toContain("s3cr3t");
  });

  it("name the secret that opens them, for the host that it was given for", async () => {
    const project_id = await project();
    const opened = { clone_secret: "GIT_TOKEN", clone_username: "robot" };
    const { id } = await local.repositories.create({ project_id, clone_url: address(), ...opened });
    expect(await local.repositories.get(id)).toMatchObject(opened);
    const moved = address();
    expect(await local.repositories.update(id, { clone_url: moved })).toMatchObject({
      clone_url: moved,
      ...opened,
    });
    const other = { clone_secret: "OTHER", clone_username: null };
    expect(await local.repositories.update(id, { clone_secret: "OTHER" })).toMatchObject(other);
    expect(await local.repositories.update(id, { clone_username: "robot" })).toMatchObject({
      ...other,
      clone_username: "robot",
    });
    for (const clone_url of [
      "https://elsewhere.example/a",
      "https://git.example:8443/a",
      "ssh://git@git.example/a",
    ])
      await expect(local.repositories.update(id, { clone_url })).rejects.toMatchObject({
        code: "usage",
        message: expect.stringContaining("which would get the secret OTHER"),
      });
    const named = { clone_url: "https://elsewhere.example/a", clone_secret: "THEIRS" };
    expect(await local.repositories.update(id, named)).toMatchObject({ ...named, clone_username: null });
    const none = { clone_secret: null, clone_username: null };
    expect(await local.repositories.update(id, { clone_secret: null })).toMatchObject(none);
    expect(await local.repositories.update(id, { default_branch: "main" })).toMatchObject(none);
  });

  it.each([
    [{ clone_username: "robot" }, "needs a secret"],
    [{ clone_secret: "no name" }, "cannot be the name"],
    [{ clone_secret: "SHIPINATOR_TOKEN" }, "cannot be the name"],
    [{ clone_secret: "KEY", clone_username: "a\nb" }, "not a user name"],
    [{ clone_secret: "KEY", clone_username: "\ud800" }, "surrogate"],
    [{ clone_secret: "KEY", clone_username: "" }, "not a user name"],
    [{ clone_secret: "KEY", clone_username: "x".repeat(257) }, "not a user name"],
    [{ clone_secret: "KEY", clone_username: "git", clone_url: "git@git.example:a" }, "contains its user"],
  ])("are not opened by %j", async (asked, words) => {
    const message = expect.stringContaining(words);
    const repository = { project_id: team.project, clone_url: address(), ...asked };
    await expect(local.repositories.create(repository)).rejects.toMatchObject({ message });
    if ("clone_url" in asked) return;
    await expect(local.repositories.update(team.repository, asked)).rejects.toMatchObject({ message });
  });

  it.each(["-x", "a b", "a..b", "", "@{u}"])("have no default branch %j", async (default_branch) => {
    const asked = { project_id: team.project, clone_url: address(), default_branch };
    await expect(local.repositories.create(asked)).rejects.toMatchObject({ code: "source_refused" });
  });

  it("are at one address in a project, which is named", async () => {
    const project_id = await project();
    const clone_url = address();
    await local.repositories.create({ project_id, clone_url });
    const taken = { code: "conflict", message: expect.stringContaining(clone_url) };
    await expect(local.repositories.create({ project_id, clone_url })).rejects.toMatchObject(taken);
    const { id } = await local.repositories.create({ project_id, clone_url: address() });
    await expect(local.repositories.update(id, { clone_url })).rejects.toMatchObject(taken);
    await local.repositories.create({ project_id: await project(), clone_url });
  });

  it("are made once under an id", async () => {
    const asked = { id: newId<RepositoryId>(), project_id: await project(), clone_url: address() };
    const made = await Promise.all([1, 2].map(() => local.repositories.create(asked)));
    expect(made[0]).toEqual(made[1]);
    await expect(local.repositories.create({ ...asked, clone_url: address() })).rejects.toMatchObject({
      code: "conflict",
      place: "id",
    });
  });

  it("belong to a project that is there", async () => {
    const asked = { project_id: newId<ProjectId>(), clone_url: address() };
    await expect(local.repositories.create(asked)).rejects.toMatchObject({ code: "not_found" });
  });

  it("stay while they have pipelines", async () => {
    await expect(local.repositories.remove(team.repository)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("has pipelines"),
    });
    const id = await repository();
    await local.repositories.remove(id);
    await expect(local.repositories.get(id)).rejects.toMatchObject({ code: "not_found" });
  });

  it("may be a directory where nobody else reaches the server, for an admin of all projects", async () => {
    const remote = bench.operations.as(await bench.caller("admin", null));
    const clone_url = "/srv/git/../git/app/";
    await expect(remote.repositories.create({ project_id: team.project, clone_url })).rejects.toMatchObject({
      code: "source_refused",
    });
    await using loopback = await createServiceBench("allowed");
    const { id } = await loopback.local.projects.create({ name: "local" });
    const all = loopback.operations.as(await loopback.caller("admin", null));
    expect(await all.repositories.create({ project_id: id, clone_url })).toMatchObject({
      clone_url: "/srv/git/app",
    });
    const one = loopback.operations.as(await loopback.caller("admin", id));
    for (const path of ["/srv/other", "relative/path", "~/app", "."])
      await expect(one.repositories.create({ project_id: id, clone_url: path })).rejects.toMatchObject({
        code: "source_refused",
      });
    await expect(all.repositories.create({ project_id: id, clone_url: "/srv/a\0b" })).rejects.toMatchObject({
      code: "source_refused",
    });
  });

  it("may be local by the setting, and never for an admin of one project", async () => {
    await using open = await createServiceBench("refused", { allowLocal: true, allowHttp: false });
    const { id: project_id } = await open.local.projects.create({ name: "local" });
    const all = open.operations.as(await open.caller("admin", null));
    const one = open.operations.as(await open.caller("admin", project_id));
    const { id } = await one.repositories.create({ project_id, clone_url: address() });
    for (const path of ["/srv/other", "/srv/../srv/other", "file:///srv/other", "FILE:///srv/other"]) {
      const refused = {
        code: "source_refused",
        remedy: expect.stringContaining("need a token for all projects"),
      };
      await expect(one.repositories.create({ project_id, clone_url: path })).rejects.toMatchObject(refused);
      await expect(one.repositories.update(id, { clone_url: path })).rejects.toMatchObject(refused);
    }
    for (const clone_url of ["/srv/app", "file:///srv/app"])
      expect(await all.repositories.create({ project_id, clone_url })).toMatchObject({ clone_url });
  });
});
