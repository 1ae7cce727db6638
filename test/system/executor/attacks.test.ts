/** What a hostile pipeline file of a project tries where steps have an account of their own and the server is root. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { onPath } from "../support/needs.ts";

const isRoot = process.getuid?.() === 0;
const account = "daemon";
const env = { SHIPINATOR_LOCAL_USER: account };

beforeEach((context) => {
  context.skip(!isRoot, "only root can run steps as another account");
});

describe("a library that a step has loaded", () => {
  let world: World;
  let library = "";
  let seen = "";
  const uid = () => execFileSync("id", ["-u", account], { encoding: "utf8" }).trim();
  const withoutCompiler = onPath("gcc") ? null : "gcc is not on PATH";

  beforeAll(async () => {
    if (!isRoot || withoutCompiler !== null) return;
    world = await World.prepared();
    seen = join(world.root, "seen");
    mkdirSync(seen);
    chmodSync(seen, 0o777);
    library = join(world.root, "evil.so");
    const source = join(world.root, "evil.c");
    // One file per effective user, made by whoever loads it; la_version is what LD_AUDIT asks for.
    writeFileSync(
      source,
      `#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
unsigned la_version(unsigned version) { return version; }
__attribute__((constructor)) static void load(void) {
  char path[4096];
  snprintf(path, sizeof path, "${seen}/%d", (int)geteuid());
  close(open(path, O_CREAT | O_WRONLY, 0666));
}
`,
    );
    execFileSync("gcc", ["-shared", "-fPIC", "-o", library, source]);
    chmodSync(library, 0o755);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());
  beforeEach((context) => {
    if (withoutCompiler !== null) context.skip(withoutCompiler);
    for (const name of readdirSync(seen)) execFileSync("rm", [join(seen, name)]);
  });

  it.each(["LD_PRELOAD", "LD_AUDIT"])(
    "by %s in env runs as the step's account, never as root",
    async (name) => {
      const directory = world.directory(`env-${name}`, {
        ".shipinator.yaml": `build:\n  steps:\n    - { name: s, run: id -u, env: { ${name}: ${library} } }\n`,
      });
      const { code, log } = await world.run([directory], { env });
      expect([code, log("build/s")]).toEqual([0, `${uid()}\n`]);
      expect(readdirSync(seen)).toEqual([uid()]);
    },
  );

  it("by a secret of that name runs as the step's account, and the log's writer does not load it", async () => {
    const file = (step: string) => ({ ".shipinator.yaml": `build:\n  steps:\n    - { name: s, ${step} }\n` });
    const directory = world.directory("secret", file("run: 'true'"));
    expect((await world.run([directory], { env })).code).toBe(0);
    await world.succeed(["secret", "set", "LD_PRELOAD", "--project", "secret"], { input: library, env });
    world.directory("secret", file(`run: 'id -u; echo "$LD_PRELOAD"', secrets: [LD_PRELOAD]`));
    const { code, log } = await world.run([directory], { env });
    expect([code, log("build/s")]).toEqual([0, `${uid()}\n***\n`]);
    expect(readdirSync(seen)).toEqual([uid()]);
  });
});

describe("a step of another account", () => {
  let world: World;
  beforeAll(async () => {
    if (isRoot) world = await World.prepared();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  it("has exactly its own environment, however long, and gains no privileges by a setuid program", async () => {
    const long = "x".repeat(100_000);
    const directory = world.directory("environment", {
      ".shipinator.yaml": `build:
  steps:
    - name: s
      run: |
        echo "$A"; echo "\${#B}"; echo "$GCONV_PATH"; grep NoNewPrivs /proc/self/status; cat
        tr '\\0' '\\n' </proc/$PPID/cmdline | grep -c secret-looking || :
      env: { A: "it's \\"quoted\\"\\nand $HOME", B: "${long}", GCONV_PATH: /nowhere, C: secret-looking }
`,
    });
    const { code, log } = await world.run([directory], { env });
    expect(code).toBe(0);
    expect(log("build/s")).toBe(`it's "quoted"\nand $HOME\n100000\n/nowhere\nNoNewPrivs:\t1\n0\n`);
  });

  it("inherits no descriptor that the program was started with", async () => {
    const secret = join(world.root, "inherited");
    writeFileSync(secret, "root's own", { mode: 0o600 });
    const directory = world.directory("descriptors", {
      ".shipinator.yaml": `build:\n  steps:\n    - { name: s, run: 'exec ls -l /proc/self/fd' }\n`,
    });
    const file = openSync(secret, "r");
    const high = 40;
    const child = spawn(
      process.execPath,
      [new URL("../../../src/launch.js", import.meta.url).pathname, "run", directory],
      {
        env: { ...world.environment, ...env },
        stdio: [
          "ignore",
          "pipe",
          "pipe",
          ...Array.from({ length: high - 2 }, (_, at) => (at === high - 3 ? file : ("ignore" as const))),
        ],
      },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += text));
    await once(child, "close");
    const open = [...output.matchAll(/ (\d+) -> (\S+)/g)].map(([, number]) => Number(number));
    expect(output).not.toContain(secret);
    // 3 is the directory that ls reads.
    expect(open).toEqual([0, 1, 2, 3]);
    expect(readFileSync(secret, "utf8")).toBe("root's own");
  });
});
