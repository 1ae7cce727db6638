/** Repositories and registries that are not public, from the command line to the end of a run. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { certificate, type GitHost, openGitHost } from "../../support/git-server.ts";
import { startServer } from "../../support/server.ts";
import { openRegistry } from "../artifacts/support/registry-double.ts";

let world: World;
beforeEach(async () => {
  world = await World.prepared();
});
afterEach(() => world[Symbol.asyncDispose]());

const token = "t0ken-of/the+team";

function kept(text: string): string[] {
  const forms = [text, Buffer.from(text).toString("base64"), Buffer.from(`git:${text}`).toString("base64")];
  return readdirSync(world.dataDir, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    return entry.isFile() && forms.some((form) => readFileSync(path).includes(form)) ? [path] : [];
  });
}

/** What a command says that has to end with 0. */
const told = async (argv: readonly string[], input = "") => (await world.succeed(argv, { input })).output;

/** Why the run waits, once it waits for that. */
async function waiting(run: string, text: string): Promise<string> {
  return await eventually(async () => {
    const why = await told(["why", run]);
    return why.includes(text) && why;
  });
}

describe("a private repository", () => {
  it("is run once its project has the secret, by its project alone, and the secret is found nowhere", async () => {
    const accounts = [`git:${token}`];
    const environment = { ...process.env, ...world.environment } as Record<string, string>;
    await using host: GitHost = await openGitHost({ root: world.root, accounts, environment, secure: true });
    const directory = world.repository("app", {
      ".shipinator.yaml": "build:\n  steps: [{ name: show, run: 'git remote get-url origin; env' }]\n",
    });
    world.git(directory, "config", "--global", `http.${host.url}/.sslCAInfo`, certificate);
    const server = await startServer(world);
    const url = `${host.url}/app`;
    const shown: string[] = [];

    shown.push(await told(["pipeline", "add", url, "--clone-secret", "GIT_TOKEN", "--no-check"]));
    expect(shown[0]).toContain(`${url}, cloned with the secret GIT_TOKEN`);
    shown.push(await told(["trigger", "app"]));
    expect(await waiting("latest", "no secret")).toContain(
      "The project has no secret GIT_TOKEN, which is its",
    );
    // It would be tried again; this one is done with waiting.
    shown.push(await told(["cancel"]));
    shown.push(await told(["secret", "set", "GIT_TOKEN"], `${token}\n`));
    shown.push(await told(["trigger", "app", "--follow"]));
    shown.push(await told(["logs"]));
    expect(shown.at(-1)).toContain(`${url}\n`);

    // Another project that names the same address gets neither the secret nor what was fetched with it.
    const sha = world.git(directory, "rev-parse", "HEAD");
    shown.push(await told(["pipeline", "add", url, "--project", "others", "--name", "theirs", "--no-check"]));
    const { id } = await server.post<{ id: string }>("/v1/pipelines/theirs/runs", { sha });
    const why = await waiting(id, "wants credentials");
    expect(why).toContain("wants credentials");
    shown.push(why, await told(["cancel", id]));

    shown.push(await told(["events", "-o", "json", "app#2"]));
    expect(await server.stop()).toBe(0);
    const said = await server.process.ended;
    shown.push(said.stdout, said.stderr);
    expect(shown.filter((text) => text.includes(token))).toEqual([]);
    expect(kept(token)).toEqual([]);
  });
});

describe("what the server's account has by itself", () => {
  it("opens repositories that a token of all projects registered, and none of a project's own token", async () => {
    const environment = { ...process.env, ...world.environment } as Record<string, string>;
    await using host: GitHost = await openGitHost({
      root: world.root,
      accounts: [`git:${token}`],
      environment,
      secure: true,
    });
    const directory = world.repository("app", {
      ".shipinator.yaml": "build:\n  steps: [{ name: show, run: 'echo built' }]\n",
    });
    world.git(directory, "config", "--global", `http.${host.url}/.sslCAInfo`, certificate);
    world.git(
      directory,
      "config",
      "--global",
      "credential.helper",
      `!printf 'username=git\\npassword=${token}\\n'; :`,
    );
    // Certificates of the system are the server's matter, and no credential.
    const server = await startServer(world, 0, { GIT_SSL_CAINFO: certificate });
    const url = `${host.url}/app`;
    await told(["pipeline", "add", url]);
    const built = await told(["trigger", "app", "--follow"]);
    expect(built).toContain("[build/show] built");
    const sha = world.git(directory, "rev-parse", "HEAD");

    await told(["project", "add", "others"]);
    const others = (
      await told(["token", "create", "theirs", "--scope", "admin", "--project", "others"])
    ).trim();
    const asOthers = ["--server", server.url, "--token", others.split("\n")[0] ?? ""];
    const add = ["pipeline", "add", url, "--project", "others", "--name", "theirs", ...asOthers];
    const refused = await world.shipinator(add);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("wants credentials")]);
    expect((await world.shipinator([...add, "--no-check"])).code).toBe(0);
    // Not even by a commit that the other project has fetched.
    const { id } = await server.post<{ id: string }>("/v1/pipelines/theirs/runs", { sha });
    expect(await waiting(id, "wants credentials")).toContain("wants credentials");
    await told(["cancel", id]);
    expect(await server.stop()).toBe(0);
  });
});

describe("a registry's login", () => {
  it("is the project's, asked before the account's own, and names its secret where that is missing", async () => {
    const login = Buffer.from(`robot:${token}`).toString("base64");
    const digest = `sha256:${"ab".repeat(32)}`;
    await using registry = await openRegistry((request, response) => {
      const is = request.headers.authorization === `Basic ${login}`;
      response.writeHead(is ? 200 : 401, is ? { "docker-content-digest": digest } : {}).end();
    });
    const repository = world.repository("app", {
      ".shipinator.yaml": `
build:
  steps:
    - name: push
      run: "true"
      outputs: [{ type: oci_image, name: image, ref: "${registry.host}/team/app:1" }]
`,
    });
    const refused = await world.run([repository]);
    expect(refused.run.jobs[0]?.failure_message).toContain(`shipinator registry set ${registry.host}`);

    const project = ["--project", "app"];
    const set = ["registry", "set", registry.host, "--username", "robot", "--secret", "PUSH", ...project];
    expect(await told(set)).toContain(
      `Project app uses the login robot for ${registry.host} with the secret PUSH.`,
    );
    const without = await world.run([repository]);
    expect(without.run.jobs[0]?.failure_message).toContain("The project has no secret PUSH");
    await told(["secret", "set", "PUSH", ...project], token);
    const { code, run } = await world.run([repository]);
    expect([code, run.artifacts[0]?.metadata]).toEqual([0, expect.objectContaining({ imageDigest: digest })]);
    expect(await told(["registry", "list"])).toMatch(/REGISTRY +USER +SECRET(?:.|\n)*robot +PUSH/);
    expect(await told(["registry", "remove", registry.host.toUpperCase()])).toContain("Removed the login");
    expect(await told(["registry", "list"])).toContain("has no logins");
    expect(kept(token)).toEqual([]);
  });
});
