/** What `pipeline add` takes, and what it refuses because no run could use it. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { ended, serverEnvironment, startServer, type TestServer } from "../../support/server.ts";

let world: World;
let server: TestServer;

const pipeline = 'build:\n  steps: [{ name: a, run: "echo built" }]\n';

beforeAll(async () => {
  world = await World.prepared();
  server = await startServer(world, 0, { SHIPINATOR_GIT_ALLOW_FILE_URLS: "true" });
});
afterAll(async () => {
  await server.stop();
  await world[Symbol.asyncDispose]();
});

const cli = (...argv: string[]) => world.shipinator(argv, { env: serverEnvironment });
const registered = async () => (await cli("pipeline", "list", "-o", "name")).stdout.split("\n").length - 1;

describe("pipeline add", () => {
  it("takes a bare repository, and its runs build it", async () => {
    world.repository("source", { ".shipinator.yaml": pipeline });
    world.git(world.root, "clone", "--quiet", "--bare", join(world.root, "source"), "bare.git");
    const added = await cli("pipeline", "add", join(world.root, "bare.git"));
    expect([added.code, added.stderr]).toEqual([0, ""]);
    for (const ref of [[], ["--ref", "main"]]) {
      const run = await cli("trigger", "bare", ...ref, "--follow");
      expect([run.code, run.stdout]).toEqual([0, expect.stringContaining("[build/a] built")]);
    }
    const direct = await world.run([join(world.root, "bare.git"), "--ref", "main"]);
    expect([direct.code, direct.log("build/a")]).toEqual([0, expect.stringContaining("built")]);
  });

  it.each([
    ["a mistyped address", "https://127.0.0.1:1/team/app.git", 3, "cannot be reached"],
    ["a directory without a repository", "empty", 2, "is not in a git repository"],
    ["a repository without a commit", "unborn", 2, "HEAD"],
    ["a repository that git cannot use", "broken", 2, "git cannot use"],
  ])("refuses %s, and leaves nothing registered", async (_, what, code, message) => {
    const before = await registered();
    world.directory("empty", { a: "" });
    world.git(world.directory("unborn", { a: "" }), "init", "--quiet");
    world.directory("broken", { ".git": "gitdir: /nowhere\n" });
    const address = what.includes(":") ? what : join(world.root, what);
    const added = await cli("pipeline", "add", address, "--project", "refused");
    expect([added.code, added.stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(added.stderr).toContain("--no-check");
    expect(await registered()).toBe(before);
    const { items } = await server.get<{ items: { name: string }[] }>("/v1/projects?limit=100");
    expect(items.map(({ name }) => name)).not.toContain("refused");
  });

  it("refuses a second pipeline of a name in a project, and leaves its repository unregistered", async () => {
    const [first, second] = ["one", "two"].map((name) =>
      world.repository(name, { ".shipinator.yaml": pipeline }),
    );
    const named = ["--project", "shared", "--name", "app"];
    expect((await cli("pipeline", "add", first ?? "", ...named)).code).toBe(0);
    const added = await cli("pipeline", "add", second ?? "", ...named);
    expect([added.code, added.stderr]).toEqual([2, expect.stringContaining('has a pipeline "app" already')]);
    const { items } = await server.get<{ items: { clone_url: string }[] }>("/v1/repositories?limit=100");
    expect(items.map(({ clone_url }) => clone_url)).not.toContain(second);
  });

  it("prints a command that works for a pipeline whose name begins with a dash", async () => {
    const directory = world.repository("dashed", { ".shipinator.yaml": pipeline });
    const printed = (text: string) => /with: shipinator (.*)$/m.exec(text)?.[1]?.split(" ") ?? [];
    const added = await cli("pipeline", "add", directory, "--name=-x");
    expect(printed(added.stdout)).toEqual(["trigger", "dashed/-x", "--follow"]);
    const run = await cli("trigger", "dashed/-x");
    expect(printed(run.stdout)[1]).toMatch(/^[^-]/);
    const followed = await cli(...printed(run.stdout));
    expect([followed.code, followed.stdout]).toEqual([0, expect.stringContaining("built")]);
    expect((await cli(...printed(added.stdout))).code).toBe(0);
  });

  it("registers without a look when it is told so, and says what is wrong with a pipeline file", async () => {
    const unread = await cli("pipeline", "add", "https://127.0.0.1:1/team/later.git", "--no-check");
    expect([unread.code, unread.stderr]).toEqual([0, ""]);
    const without = await cli("pipeline", "add", world.repository("bald", { a: "" }));
    expect([without.code, without.stderr]).toEqual([
      0,
      expect.stringContaining("there is no .shipinator.yaml"),
    ]);
  });

  it("a repository that does not exist fails its run at once", async () => {
    const address = `file://${join(world.root, "nowhere.git")}`;
    expect((await cli("pipeline", "add", address, "--no-check")).code).toBe(0);
    const run = await server.post<RunDetail>("/v1/pipelines/nowhere/runs");
    const over = await ended(server, run.id);
    expect(over).toMatchObject({ status: "failed", failure_reason: "source_unavailable" });
    expect(over.failure_message).toContain("There is no git repository at");
  });
});
