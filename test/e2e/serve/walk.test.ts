/** What a team does with a server, by command line and by HTTP. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail, RunWhy } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { ended, serverEnvironment, startServer, type TestServer } from "../../support/server.ts";

let world: World;
let server: TestServer;
let repository: string;

const pipeline = `
build:
  steps:
    - name: compile
      run: |
        mkdir -p bin && printf 'echo %s\\n' "$SHIPINATOR_SHORT_COMMIT" > bin/app && chmod 755 bin/app
      outputs: [{ type: binary, path: bin/app }]
test:
  steps:
    - { name: unit, run: "sh bin/app; echo tested" }
deploy:
  artifact: app
  run: sh "$SHIPINATOR_ARTIFACTS_DIR/app" > "$HOME/deployed"
`;

beforeAll(async () => {
  world = await World.prepared();
  repository = world.repository("app", { ".shipinator.yaml": pipeline });
  server = await startServer(world);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await world[Symbol.asyncDispose]();
});

const cli = (...argv: string[]) => world.shipinator(argv, { env: serverEnvironment });

describe("a server in five minutes", () => {
  it("keeps its token and address for its own account alone", () => {
    for (const name of ["admin-token", "server.json"])
      expect(statSync(join(world.dataDir, name)).mode & 0o777).toBe(0o600);
  });

  it("registers a repository once, however often it is asked", async () => {
    for (let time = 0; time < 2; time += 1) {
      const added = await cli("pipeline", "add", repository);
      expect([added.code, added.stderr]).toEqual([0, ""]);
      expect(added.stdout).toContain("Pipeline app of project app.");
    }
    const mistyped = await cli("pipeline", "add", `${repository}x`);
    expect([mistyped.code, mistyped.stderr]).toEqual([2, expect.stringContaining("does not exist")]);
    const listed = await cli("pipeline", "list", "-o", "json");
    expect(JSON.parse(listed.stdout)).toMatchObject([{ name: "app", clone_url: repository }]);
  });

  it("runs it, follows it, and ends as the run does", async () => {
    const { code, stdout } = await cli("trigger", "app", "--follow");
    expect(code).toBe(0);
    expect(stdout).toMatch(/✓ build\/compile[\s\S]*\[test\/unit\] tested[\s\S]*✓ deploy\/deploy/);
    const run = await server.get<RunDetail>("/v1/pipeline-runs/latest");
    const head = world.git(repository, "rev-parse", "HEAD");
    // What it found is told when it has looked at the repository, and it is named as a person would.
    expect(stdout).toMatch(new RegExp(`^run 1 of app\nmain, commit ${head.slice(0, 7)}\n`));
    expect(stdout).toContain("\nMore  shipinator logs 1 · shipinator artifacts 1\n");
    expect(run).toMatchObject({
      status: "success",
      phase: "deployed",
      git_sha: head,
      git_ref: "refs/heads/main",
    });
    expect(readFileSync(join(world.home, "deployed"), "utf8")).toBe(`${head.slice(0, 12)}\n`);
  });

  it("shows the same by command, by HTTP, and without the server's help", async () => {
    const [remote, local] = await Promise.all([
      cli("status", "-o", "json"),
      cli("status", "-o", "json", "--server", "local"),
    ]);
    const http = await server.get<RunDetail>("/v1/pipeline-runs/latest");
    expect(JSON.parse(remote.stdout)).toEqual(http);
    expect(JSON.parse(local.stdout)).toEqual(http);
    expect((await cli("list")).stdout).toMatch(/success +app/);
    expect((await cli("logs", "latest", "--step", "unit")).stdout).toMatch(/^[0-9a-f]{12}\ntested\n$/);
    expect((await cli("events", "-o", "json")).stdout).toContain('"cause": "resolved"');
    expect((await cli("why")).stdout).toBe("success: every stage succeeded\n");
  });

  it("gives the artifact byte for byte, whole, in parts, and not when it is known", async () => {
    const { artifacts } = await server.get<RunDetail>("/v1/pipeline-runs/latest");
    const [app] = artifacts;
    if (app === undefined) throw new Error("no artifact");
    const path = `/v1/artifacts/${app.id}/download`;
    const whole = await server.fetch(path);
    const bytes = Buffer.from(await whole.arrayBuffer());
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(app.checksum);
    const tag = whole.headers.get("etag") ?? "";
    expect(tag).toBe(`"sha256:${app.checksum}"`);
    expect(whole.headers.get("content-disposition")).toContain('attachment; filename="app"');
    expect(whole.headers.get("x-content-type-options")).toBe("nosniff");

    const part = await server.fetch(path, { headers: { range: "bytes=2-5" } });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
      206,
      `bytes 2-5/${app.size}`,
      bytes.subarray(2, 6).toString(),
    ]);
    const last = await server.fetch(path, { headers: { range: "bytes=-3" } });
    expect(await last.text()).toBe(bytes.subarray(-3).toString());
    expect((await server.fetch(path, { headers: { range: "bytes=0-1,3-4" } })).status).toBe(200);
    expect((await server.fetch(path, { headers: { range: `bytes=${app.size}-` } })).status).toBe(416);
    expect((await server.fetch(path, { headers: { "if-none-match": tag } })).status).toBe(304);
    const stale = await server.fetch(path, { headers: { range: "bytes=0-0", "if-range": '"other"' } });
    expect(stale.status).toBe(200);
    await stale.body?.cancel();
    const head = await server.fetch(path, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), head.headers.get("etag")]).toEqual([
      200,
      String(app.size),
      tag,
    ]);

    const target = join(world.root, "downloaded");
    const saved = await cli("download", "latest/app", "--to", target);
    expect([saved.code, readFileSync(target)]).toEqual([0, bytes]);
    expect(statSync(target).mode & 0o777).toBe(0o755);
  });

  it("never completes an answer whose stored bytes are wrong", async () => {
    const large =
      'build:\n  steps:\n    - { name: a, run: "head -c 9000000 /dev/zero > large", outputs: [{ type: binary, path: large }] }\n';
    await cli("pipeline", "add", world.repository("large", { ".shipinator.yaml": large }));
    for (const name of ["app", "large"]) {
      const run = await server.post<RunDetail>(`/v1/pipelines/${name}/runs`, { only: ["build"] });
      const [artifact] = (await ended(server, run.id)).artifacts;
      if (artifact === undefined) throw new Error("no artifact");
      writeFileSync(artifact.storage_path, "x".repeat(artifact.size));
      const answer = await server.fetch(`/v1/artifacts/${artifact.id}/download`);
      if (name === "large") await expect(answer.arrayBuffer()).rejects.toThrow();
      else {
        expect([answer.status, answer.headers.get("etag")]).toEqual([500, null]);
        expect(await answer.json()).toMatchObject({ code: "artifact_corrupt" });
      }
      const target = join(world.root, `never-${name}`);
      expect((await cli("download", artifact.id, "--to", target)).code).not.toBe(0);
      expect(existsSync(target)).toBe(false);
    }
  });

  it("cancels a run and runs it again, by command", async () => {
    const slow = world.repository("slow", {
      ".shipinator.yaml":
        'build:\n  steps:\n    - { name: wait, run: "echo up; [ -e $HOME/quick ] || sleep 60" }\n',
    });
    await cli("pipeline", "add", slow);
    const following = world.start(["trigger", "slow", "--follow"], { env: serverEnvironment });
    await following.said(/\[build\/wait\] up/);
    const canceled = await cli("cancel", "latest");
    expect(canceled.code).toBe(0);
    expect((await following.ended).code).toBe(1);
    const over = await server.get<RunDetail>("/v1/pipeline-runs/latest");
    expect(over).toMatchObject({ status: "canceled", failure_reason: "canceled" });
    expect((await cli("why", over.id)).stdout).toContain("canceled it");
    writeFileSync(join(world.home, "quick"), "");
    const followed = await cli("retry", over.id, "--follow");
    expect([followed.code, followed.stdout]).toEqual([0, expect.stringContaining("✓ build/wait")]);
    const again = await server.get<RunDetail>("/v1/pipeline-runs/latest");
    expect(again).toMatchObject({ status: "success", retried_from: over.id, git_sha: over.git_sha });
  });

  it("says what is wrong with a pipeline's file: at once where that is asked, else as the run's reason", async () => {
    const broken = world.repository("broken", { ".shipinator.yaml": "tests:\n  steps: []\n" });
    await cli("pipeline", "add", broken);
    const refused = await server.fetch("/v1/pipelines/broken/runs", {
      method: "POST",
      body: JSON.stringify({ validate_now: true }),
      headers: { "content-type": "application/json" },
    });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ code: "config_invalid", details: [{ line: 1, column: 1 }] });
    const run = await server.post<RunDetail>("/v1/pipelines/broken/runs");
    expect(run).toMatchObject({ status: "pending", phase: "submitted", jobs: [] });
    const over = await ended(server, run.id);
    expect(over).toMatchObject({ status: "failed", failure_reason: "config_invalid", jobs: [] });
    expect(over.failure_message).toContain('Unknown key "tests"');
    const gone = await server.post<RunDetail>("/v1/pipelines/app/runs", { ref: "no-such-branch" });
    expect(await ended(server, gone.id)).toMatchObject({
      status: "failed",
      failure_reason: "source_unavailable",
    });
    const { summary } = await server.get<RunWhy>(`/v1/pipeline-runs/${gone.id}/why`);
    expect(summary).toMatch(
      /There is no branch, tag or commit "no-such-branch" .* that it has the ref, then retry/,
    );
  });

  it("gets on with a command that runs something on the same data directory", async () => {
    const { code, run } = await world.run([repository]);
    expect([code, run.status]).toEqual([0, "success"]);
    expect((await server.get<RunDetail>(`/v1/pipeline-runs/${run.id}`)).status).toBe("success");
  });

  it("lets a person log in with a token that may less", async () => {
    const made = await cli("token", "create", "ann", "--scope", "read", "--expires", "2d");
    const token = made.stdout.trim();
    const wrong = await world.shipinator(["login", server.url], {
      input: "wrong\n",
      env: serverEnvironment,
    });
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining(`error: ${server.url} does not accept this token`),
    ]);
    expect(wrong.stderr).toContain("shipinator token create NAME --scope trigger");
    const login = await world.shipinator(["login", server.url], {
      input: `${token}\n`,
      env: serverEnvironment,
    });
    expect([login.code, login.stdout]).toEqual([0, expect.stringContaining("Logged in")]);
    expect(statSync(join(world.home, ".config/shipinator/login.json")).mode & 0o777).toBe(0o600);
    expect((await cli("list")).code).toBe(0);
    const refused = await cli("trigger", "app");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("needs the scope trigger")]);
    const listed = await cli("token", "list", "-o", "json", "--token", server.token);
    const [{ id, created_at, expires_at }] = JSON.parse(listed.stdout);
    const hours = (Date.parse(expires_at) - Date.parse(created_at)) / 3_600_000;
    expect(Math.round(hours)).toBe(48);
    expect((await cli("token", "revoke", id, "--token", server.token)).code).toBe(0);
    expect((await cli("list")).stderr).toContain("no valid token");
    rmSync(join(world.home, ".config/shipinator/login.json"));
  });

  it("keeps a new token in a file for its owner alone, and never in place of another", async () => {
    const file = join(world.root, "bob.token");
    const made = await cli("token", "create", "bob", "--to", file, "-o", "json");
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(JSON.parse(made.stdout)).not.toHaveProperty("token");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const token = readFileSync(file, "utf8").trim();
    expect((await cli("list", "--server", server.url, "--token", token)).code).toBe(0);
    const again = await cli("token", "create", "bob", "--to", file);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("already exists")]);
    expect(readFileSync(file, "utf8").trim()).toBe(token);
    const { items } = await server.get<{ items: { name: string }[] }>("/v1/tokens");
    expect(items.filter(({ name }) => name === "bob")).toHaveLength(1);
    expect((await cli("token", "create", "bob", "--to", file, "--force")).code).toBe(0);
    expect(readFileSync(file, "utf8").trim()).not.toBe(token);
  });
});
