/** Steps under another account than the server's, which is root: what they may, and what is out of their reach. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { isAlive } from "../../e2e/executor/world.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { attackWithPatterns } from "../../support/pattern-attack.ts";
import { startServer } from "../../support/server.ts";

const isRoot = process.getuid?.() === 0;
/** One that every Debian has, and that the embedded Postgres never takes. */
const account = "daemon";
const env = { SHIPINATOR_LOCAL_USER: account };

beforeEach((context) => {
  context.skip(!isRoot, "only root can run steps as another account");
});

const worlds: World[] = [];
function world(): World {
  const made = new World();
  worlds.push(made);
  return made;
}
afterAll(async () => {
  for (const made of worlds) await made[Symbol.asyncDispose]();
});

let steps = 0;

/** One build step, and what it wrote. */
async function step(own: World, script: string, more = ""): Promise<{ code: number | null; log: string }> {
  const directory = own.repository(`r-${worlds.length}-${steps++}`, {
    ".shipinator.yaml": `build:\n  steps:\n    - name: s\n      run: |\n${script
      .split("\n")
      .map((line) => `        ${line}`)
      .join("\n")}\n${more}`,
  });
  const { code, log } = await own.run([directory, "--ref", "main"], { env });
  return { code, log: log("build/s") };
}

describe("a step of another account", () => {
  it("is that account, at home and in its workspace, with a repository whose objects it reads and cannot write", async () => {
    const own = world();
    const { code, log } = await step(
      own,
      [
        'id -un; echo "$USER $LOGNAME $HOME"; echo kept >"$TMPDIR/t" && cat "$TMPDIR/t"',
        "echo changed >new && git add new && git status --short && git log --oneline | wc -l",
        "git fsck --full && echo whole; store=$(cat .git/objects/info/alternates); find $store/pack -name '*.pack' | wc -l",
        "find $store -writable; for f in $store/pack/*; do chmod u+w $f 2>/dev/null || rm -f $f 2>/dev/null || echo kept; done | sort -u",
      ].join("\n"),
    );
    const [, , uid, , , home] = execFileSync("getent", ["passwd", account], { encoding: "utf8" }).split(":");
    expect(code).toBe(0);
    expect(log).toBe(`${account}\n${account} ${account} ${home}\nkept\nA  new\n1\nwhole\n1\nkept\n`);
    expect(Number(uid)).toBeGreaterThan(0);
  });

  it("runs in a data directory that was made under a umask of 077", async () => {
    const own = world();
    const before = process.umask(0o077);
    try {
      const { code, log } = await step(own, "git status --short; cat .shipinator.yaml | head -1; umask");
      expect([code, log]).toEqual([0, "build:\n0077\n"]);
    } finally {
      process.umask(before);
    }
    expect(statSync(own.dataDir).mode & 0o777).toBe(0o711);
  });

  it("reaches nothing of the server's: not its data, its logs, its start locks, nor the shim", async () => {
    const own = world();
    const { code, log } = await step(
      own,
      [
        `for path in . postgres/data logs artifacts mirrors work work/opened; do ls ${own.dataDir}/$path 2>/dev/null && echo read $path; done`,
        "for path in .. ../steps ../workers; do ls $path 2>/dev/null && echo read $path; done",
        "for path in ../x ../steps/x ../workers/0/x ../steps/x.startLock; do (echo x >$path) 2>/dev/null && echo wrote $path; done",
        "kill -0 $PPID 2>/dev/null && echo signals the shim",
        `find ${own.dataDir} -type f 2>/dev/null | grep -v /workspace/ && echo found`,
        "echo done",
      ].join("\n"),
    );
    expect([code, log]).toEqual([0, "done\n"]);
  });

  it("hands its outputs on, to steps and to a deploy that may read them", async () => {
    const own = world();
    const directory = own.directory("d", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: make, run: "umask 077; mkdir out; echo 1 >out/a; echo 2 >out/b", outputs: [{ type: binary, name: out, path: out }] }
test:
  steps:
    - { name: use, run: "id -un; cat out/a out/b; echo 3 >out/a" }
    - { name: shell, shell: [sh, -eu], run: "id -un" }
deploy:
  artifact: out
  run: 'id -un; cat "$SHIPINATOR_ARTIFACTS_DIR"/out/a; ls'
`,
    });
    const { code, log } = await own.run([directory], { env });
    expect(code).toBe(0);
    expect(log("test/use")).toBe(`${account}\n1\n2\n`);
    expect(log("test/shell")).toBe(`${account}\n`);
    expect(log("deploy/deploy")).toBe(`${account}\n1\nout\n`);
  });

  it("cannot have a file of root's taken for its output", async () => {
    const own = world();
    const secret = join(own.root, "secret");
    writeFileSync(secret, "root's own", { mode: 0o600 });
    const { code } = await step(own, `ln -s ${secret} app`, "      outputs: [{ type: binary, path: app }]\n");
    expect(code).toBe(1);
    expect((await own.status()).failure_reason).toBe("artifact_missing");
  });

  it("cannot have a file of root's taken for its output by a hard link", async () => {
    const own = world();
    const secret = join(own.root, "secret");
    writeFileSync(secret, "root's own", { mode: 0o600 });
    chmodSync(own.root, 0o711);
    const marks = join(own.root, "marks");
    mkdirSync(marks);
    chmodSync(marks, 0o777);
    // Where the kernel does not protect hard links the step makes them itself; here root does it for the step.
    const running = step(
      own,
      `mkdir dir; echo own >dir/b; pwd >${marks}/new; mv ${marks}/new ${marks}/place; until [ -e app ] && [ -e dir/app ]; do sleep 0.01; done`,
      "      outputs: [{ type: binary, path: app }, { type: binary, name: all, path: dir }]\n",
    );
    await eventually(() => existsSync(join(marks, "place")));
    const workspace = readFileSync(join(marks, "place"), "utf8").trim();
    linkSync(secret, join(workspace, "dir/app"));
    linkSync(secret, join(workspace, "app"));
    expect((await running).code).toBe(1);
    const { failure_message, artifacts } = await own.status();
    expect(failure_message).toContain('"app" cannot become an artifact: it belongs to another account');
    expect(artifacts).toEqual([]);
  });

  it("has no directory in its PATH that it cannot enter", async () => {
    const own = world();
    const closed = join(own.root, "closed", "bin");
    mkdirSync(closed, { recursive: true });
    chmodSync(join(own.root, "closed"), 0o700);
    const directory = own.directory("path", {
      ".shipinator.yaml": "build:\n  steps:\n    - { name: s, run: 'echo \"$PATH\"' }\n",
    });
    const given = `${closed}:/no/such/directory:/usr/bin:/bin`;
    const { code, log } = await own.run([directory], { env: { ...env, PATH: given } });
    expect([code, log("build/s")]).toEqual([0, "/no/such/directory:/usr/bin:/bin\n"]);
  });

  it("stops no server of root's with a pattern", async () => {
    await attackWithPatterns(world(), env);
  });

  it("ends with all that it started, at its timeout as at its job's end", async () => {
    const own = world();
    const pids = join(own.root, "pids");
    mkdirSync(pids, { mode: 0o777 });
    execFileSync("chmod", ["777", pids]);
    const left = `setsid -f sh -c 'echo $$ >${pids}/$0; exec sleep 600'`;
    expect(
      (await step(own, `${left} job >/dev/null 2>&1; until [ -s ${pids}/job ]; do sleep 0.01; done`)).code,
    ).toBe(0);
    const timed = await step(own, `${left} timeout; sleep 600`, "      timeout: 1s\n");
    expect(timed.code).toBe(1);
    expect((await own.status()).failure_reason).toBe("timed_out");
    for (const name of ["job", "timeout"]) {
      const pid = readFileSync(join(pids, name), "utf8").trim();
      expect([name, isAlive(pid)]).toEqual([name, false]);
    }
  });
});

describe("local.user", () => {
  it("lets a server of root's begin, and says what is out of reach", async () => {
    const own = world();
    const server = await startServer(own, 0, env);
    await server.process.said(new RegExp(`Steps run as ${account}\\. `));
    expect(statSync(own.dataDir).mode & 0o777).toBe(0o711);
    expect(await server.stop()).toBe(0);
  });

  it.each([
    [
      "an account that is not there",
      { SHIPINATOR_LOCAL_USER: "no-such-account" },
      "does not exist on this machine",
    ],
    [
      "the account of the database",
      { SHIPINATOR_LOCAL_USER: account, SHIPINATOR_EMBEDDED_USER: account },
      "steps could change the database",
    ],
  ])("is refused for %s", async (_, variables, words) => {
    const own = world();
    if (
      Object.keys(own.environment).includes("SHIPINATOR_DB_HOST") &&
      "SHIPINATOR_EMBEDDED_USER" in variables
    )
      return;
    const { code, stderr } = await own.shipinator(["run", own.directory("x", {})], { env: variables });
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    expect(stderr).toContain("at local.user");
  });

  it("is refused where the account cannot pass through to its workspace", async () => {
    const own = world();
    const closed = join(own.root, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const { code, stderr } = await own.shipinator(["run", own.directory("x", {})], {
      env: { ...env, SHIPINATOR_DATA_DIR: join(closed, "data") },
    });
    expect([code, stderr]).toEqual([3, expect.stringContaining(closed)]);
  });

  it("names another account only to root", async () => {
    const own = world();
    const nobody = { uid: 65534, gid: 65534 };
    const { code, stderr } = await own.shipinator(["list"], {
      as: nobody,
      env: { ...env, HOME: "/nonexistent", SHIPINATOR_DATA_DIR: join(own.root, "home", "data") },
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`only root can run steps as "${account}"`)]);
  });
});
