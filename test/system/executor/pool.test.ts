/** A pool of accounts (`local.users`): what one project can do to another's steps, and who waits for whom. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunDetail, RunWhy } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, startServer, type TestServer } from "../../support/server.ts";

const isRoot = process.getuid?.() === 0;
/** Every Debian has them, and nothing runs under them. */
const [first, second] = ["games", "news"] as const;
const uidOf = (name: string) => Number(execFileSync("id", ["-u", name], { encoding: "utf8" }));

let world: World;
let server: TestServer;
let meeting: string;

beforeEach(async (context) => {
  context.skip(!isRoot, "only root can run steps as other accounts");
  world = await World.prepared();
  meeting = join(world.root, "meeting");
  mkdirSync(meeting);
  chmodSync(meeting, 0o777);
});
afterEach(async () => {
  if (!isRoot) return;
  expect(await server.stop()).toBe(0);
  await world[Symbol.asyncDispose]();
});

async function serve(users: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<void> {
  // An empty variable is none.
  const env = { SHIPINATOR_LOCAL_USER: "", SHIPINATOR_LOCAL_HOME: "project" };
  server = await startServer(world, 0, { ...env, SHIPINATOR_LOCAL_USERS: users.join(","), ...more });
}

/** A project of that name, with these scripts as its build steps. */
async function project(name: string, ...scripts: readonly string[]): Promise<void> {
  const steps = scripts.map(
    (script, at) => `    - name: s${at}\n      run: |\n${script.replaceAll(/^/gm, "        ")}\n`,
  );
  const repository = world.repository(name, { ".shipinator.yaml": `build:\n  steps:\n${steps.join("")}` });
  await world.succeed(["pipeline", "add", repository]);
}

const trigger = (name: string) => server.post<RunDetail>(`/v1/pipelines/${name}/runs`);
const log = (run: RunDetail, step: string) => world.log(run.id, step);
const isThere = (name: string) => existsSync(join(meeting, name));
const waitFor = (name: string) => `until [ -e ${meeting}/${name} ]; do sleep 0.02; done`;
const put = (name: string) => writeFileSync(join(meeting, name), "");

async function succeeds(run: RunDetail): Promise<void> {
  const over = await ended(server, run.id);
  expect([over.status, over.failure_message]).toEqual(["success", null]);
}

describe("git in a step of an account of the pool", () => {
  it("shows the history, from objects that the account cannot write and other accounts cannot read", async () => {
    await serve([first, second]);
    const own = `git describe --tags; git fsck && store=$(cat .git/objects/info/alternates); find $store -writable`;
    await project("own", `${own}; echo $store >${meeting}/store; ${waitFor("looked")}`);
    await project("other", `${waitFor("store")}; ls $(cat ${meeting}/store) 2>/dev/null || echo closed`);
    world.git(join(world.root, "own"), "tag", "v1");
    const run = await trigger("own");
    const other = await trigger("other");
    await succeeds(other);
    put("looked");
    await succeeds(run);
    expect([await log(run, "build/s0"), await log(other, "build/s0")]).toEqual(["v1\n", "closed\n"]);
  });
});

describe("an account that moves to another project", () => {
  it("leaves no process, no file in shared directories and no HOME behind; the first project finds its HOME again", async () => {
    await serve([first]);
    const left = `/tmp/left-${crypto.randomUUID()}`;
    const look = [
      "id -un; git config --global alias.evil || echo no alias",
      `ls ${left} /dev/shm/${left.slice(5)} 2>/dev/null || echo nothing left`,
      "ls -d $HOME/../../*/home 2>/dev/null || echo no homes to be seen",
    ].join("\n");
    await project(
      "attacker",
      [
        look,
        `git config --global alias.evil '!touch'; echo "$HOME"`,
        `mkdir ${left}; echo x >${left}/x; echo x >/dev/shm/${left.slice(5)}`,
      ].join("\n"),
    );
    await project("victim", `${look}\nls -a "$(cat ${meeting}/home)" 2>/dev/null || echo closed`);
    const own = await trigger("attacker");
    await succeeds(own);
    const lines = (await log(own, "build/s0")).split("\n");
    const home = lines.at(-2) ?? "";
    writeFileSync(join(meeting, "home"), home);
    // One that got out of its job, as a container's or a daemon's child does.
    const stray = spawn("sleep", ["600"], { uid: uidOf(first), stdio: "ignore" });
    const killed = once(stray, "exit");
    const other = await trigger("victim");
    await succeeds(other);
    expect(await killed).toEqual([null, "SIGKILL"]);
    const clean = `${first}\nno alias\nnothing left\nno homes to be seen\n`;
    expect(await log(own, "build/s0")).toBe(`${clean}${home}\n`);
    expect(await log(other, "build/s0")).toBe(`${clean}closed\n`);
    expect(existsSync(left)).toBe(false);
    const again = await trigger("attacker");
    await succeeds(again);
    expect(await log(again, "build/s0")).toBe(`${clean.replace("no alias", "!touch")}${home}\n`);
    expect(statSync(home).uid).toBe(uidOf(first));
  });
});

describe("two projects at the same time", () => {
  it("cannot read each other's environment, memory or workspace; a third waits and holds up neither", async () => {
    await serve([first, second], { SHIPINATOR_LOCAL_SLOTS: "2" });
    const open = (name: string) =>
      `export MARKER=secret-of-${name}; echo "$PWD" >${meeting}/${name}.dir; touch ${meeting}/${name}; exec sh -c '${waitFor("go")}'`;
    await project("one", open("one"), "id -un");
    await project(
      "two",
      `touch ${meeting}/two
${waitFor("one")}
cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep secret-of-one && echo read an environment
dir=$(cat ${meeting}/one.dir)
ls "$dir" 2>/dev/null && echo read a workspace
(echo x >"$dir/x") 2>/dev/null && echo wrote into a workspace
${waitFor("go")}`,
      "id -un",
    );
    await project("three", `touch ${meeting}/three`);
    const runs = [await trigger("one"), await trigger("two")];
    await eventually(() => isThere("one") && isThere("two"));
    // More of them than there are slots: none of those that wait keeps one.
    const waiting = [await trigger("three"), await trigger("three"), await trigger("three")];
    put("go");
    for (const run of runs) await succeeds(run);
    for (const run of waiting) await succeeds(run);
    const [one, two] = runs;
    if (one === undefined || two === undefined) throw new Error("there are two");
    expect(await log(two, "build/s0")).toBe("");
    const names = [await log(one, "build/s1"), await log(two, "build/s1")];
    expect(names.sort()).toEqual([`${first}\n`, `${second}\n`]);
  });

  it("one of them canceled while it waits ends at once", async () => {
    await serve([first]);
    await project("one", `touch ${meeting}/one; ${waitFor("go")}`);
    await project("two", "git log --format=%s");
    const one = await trigger("one");
    await eventually(() => isThere("one"));
    const two = await trigger("two");
    const reason = async () => (await server.get<RunWhy>(`/v1/pipeline-runs/${two.id}/why`)).summary;
    await expect
      .poll(reason)
      .toBe("step s0 waits for an account of local.users: other projects occupy all of them");
    await server.post(`/v1/pipeline-runs/${two.id}/cancel`);
    expect((await ended(server, two.id)).status).toBe("canceled");
    put("go");
    await succeeds(one);
    const again = await trigger("two");
    await succeeds(again);
    // Its account reads the repository's history, of which the mirror is the server's.
    expect(await log(again, "build/s0")).toBe("first\n");
  });

  it.each([
    [`${first},${first}`, "named twice"],
    [`${first},root`, "other than root"],
    ["sync,nobody", "the primary group of another"],
  ])("have accounts that tell them apart: %s does not", async (users, words) => {
    await serve([first]);
    const refused = await world.shipinator(["list"], {
      env: { SHIPINATOR_LOCAL_USERS: users, SHIPINATOR_DATA_DIR: join(world.root, "other") },
    });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(words)]);
  });
});

describe("a server that is started again", () => {
  it("keeps the account of what runs from other projects, and its HOME", async () => {
    await serve([first]);
    await project("one", `touch ${meeting}/one; ${waitFor("go")}; [ ! -e ${meeting}/two ] && echo alone`);
    await project("two", `touch ${meeting}/two`);
    const one = await trigger("one");
    await eventually(() => isThere("one"));
    await server.kill();
    await serve([first]);
    const two = await trigger("two");
    const three = await trigger("one");
    put("go");
    await succeeds(one);
    await succeeds(two);
    await succeeds(three);
    expect(await log(one, "build/s0")).toBe("alone\n");
  });
});
