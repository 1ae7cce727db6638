/** Pipelines and projects are renamed and removed at the terminal; whoever is logged in sees as whom, and logs out. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { serverEnvironment, startServer, type TestServer } from "../../support/server.ts";

let world: World;
let server: TestServer;
let repository: string;
beforeAll(async () => {
  world = await World.prepared();
  repository = world.repository("My_App", {
    ".shipinator.yaml": 'build: { steps: [{ name: b, run: "true" }] }\n',
  });
  server = await startServer(world);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await world[Symbol.asyncDispose]();
});

const cli = (...argv: string[]) => world.shipinator(argv, { env: serverEnvironment });

async function good(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(...argv);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

async function refused(...argv: string[]): Promise<string> {
  const { code, stderr } = await cli(...argv);
  expect([argv, code]).toEqual([argv, 2]);
  return stderr;
}

describe("a team's pipelines and projects", () => {
  it("are run by the name that is printed, however it is written", async () => {
    expect(await good("pipeline", "add", repository, "--project", "web")).toContain(
      "Run it with: shipinator trigger My_App --follow",
    );
    const followed = await good("trigger", "web/My_App", "--follow");
    expect(followed).toContain("run 1 of web/My_App");
    expect(await good("status", "web/My_App#1")).toContain("run 1 of web/My_App");
    expect(await good("logs", "My_App#1")).toBe("");
    expect(await refused("trigger", "web/my_app")).toMatch(
      /There is no pipeline "web\/my_app"\..*PROJECT\/PIPELINE/s,
    );
  });

  it("get other names", async () => {
    expect(await good("pipeline", "rename", "My_App", "site")).toContain(
      "Renamed pipeline web/My_App to site",
    );
    expect(await good("project", "rename", "web", "shop")).toContain("Renamed project web to shop");
    expect(await good("status", "shop/site#1")).toContain("run 1 of shop/site");
    expect(await refused("trigger", "web/My_App")).toContain("There is no pipeline");
    expect(await good("project", "add", "empty", "--description", "for later")).toContain("project empty");
    expect(await refused("project", "rename", "empty", "shop")).toContain(
      'There is a project "shop" already.',
    );
    expect(await good("project", "list")).toMatch(/^empty +\S+ +\S+ +for later$/m);
  });

  it("are removed, with their history kept", async () => {
    expect(await good("pipeline", "remove", "shop/site")).toBe(
      "Removed pipeline shop/site. Its name is free. Its runs stay until retention deletes them.\n",
    );
    expect((await cli("pipeline", "list")).stderr).toContain("no pipelines yet");
    expect(await refused("trigger", "site")).toMatch(
      /The pipeline shop\/site \(removed .*Z\) takes no runs any more\.\n +Register its repository again/,
    );
    expect(await refused("retry", "1")).toContain("takes no runs any more");
    const [run] = JSON.parse(await good("list", "-o", "json"));
    expect(await good("status", `${run.project}/${run.pipeline}#${run.number}`)).toContain(run.id);
    await good("pipeline", "add", repository, "--project", "shop", "--name", "site");
    expect(await good("trigger", "site", "--follow")).toContain("run 1 of shop/site");
  });

  it("are not removed by mistake", async () => {
    expect(await refused("project", "remove", "shop")).toMatch(
      /The project shop is not empty: it has 1 pipeline \(site\)\.\n.*shipinator project remove shop --force/,
    );
    expect(await good("project", "remove", "shop", "--force")).toContain("Removed project shop.");
    expect(await good("project", "remove", "empty")).toContain("Removed project empty.");
    expect((await cli("project", "list")).stderr).toContain("no projects yet");
    expect(await refused("project", "remove", "shop")).toContain('no project "shop"');
  });
});

it("a person sees as whom a server knows them, and logs out", async () => {
  expect(await good("whoami")).toContain(`  server ${server.url}\n`);
  const token = (await cli("token", "create", "ann", "--scope", "trigger")).stdout.trim();
  const file = join(world.home, ".config/shipinator/login.json");
  await world.shipinator(["login", server.url], { input: `${token}\n`, env: serverEnvironment });
  expect(await good("whoami")).toBe(`ann: trigger in all projects\n  server ${server.url}\n`);
  expect(JSON.parse(await good("whoami", "-o", "json"))).toMatchObject({ name: "ann", scope: "trigger" });
  const out = await cli("logout");
  expect([out.code, out.stdout]).toEqual([0, `Logged out of ${server.url}.\n`]);
  expect(out.stderr).toContain("The token stays valid until");
  expect(existsSync(file)).toBe(false);
  expect(await good("whoami")).not.toContain("ann");
  expect((await cli("logout")).stderr).toContain("There is no login.");
  writeFileSync(file, "torn");
  expect((await cli("logout")).code).toBe(0);
  expect(existsSync(file)).toBe(false);
});
