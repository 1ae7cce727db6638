/** Secrets from the command line to a step and back nowhere: neither kept nor shown in the clear. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { startServer } from "../../support/server.ts";

let world: World;
beforeEach(async () => {
  world = await World.prepared();
});
afterEach(() => world[Symbol.asyncDispose]());

const value = "kept-S3cret/of+ours 42";
const forms = [
  value,
  encodeURIComponent(value),
  Buffer.from(value).toString("hex"),
  Buffer.from(value).toString("base64").slice(0, 24),
];
const file = (more = "") => ({
  ".shipinator.yaml": `
build:
  steps:
    - name: use
      secrets: [TOKEN]
      run: |
        echo "plain $TOKEN"; printf '%s' "$TOKEN" | base64; echo "url $(printf '%s' "$TOKEN" | od -An -tx1 | tr -d ' \\n')"
        [ "$TOKEN" = '${value.slice(0, 4)}'"${value.slice(4)}" ] && echo the same
        echo made >app
      outputs: [{ type: binary, path: app }]
    - { name: without, run: 'echo "[\${TOKEN-none}]"' }
${more}`,
});

/** What a command says that has to end with 0. */
const told = async (argv: readonly string[], input = "") => (await world.succeed(argv, { input })).output;

/** Every file below the directory that holds one of these texts. */
function holding(directory: string, texts: readonly string[]): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) return [];
    const bytes = readFileSync(path);
    return texts.filter((text) => bytes.includes(text)).map((text) => `${path}: ${text}`);
  });
}

describe("a secret", () => {
  it("reaches the step that names it, and is found nowhere else: not in what is kept, not in what is shown", async () => {
    const repository = world.repository("app", file());
    const shown: string[] = [];
    await told(["pipeline", "add", repository]);
    shown.push(await told(["secret", "set", "TOKEN"], `${value}\n`));
    const { code, log, view } = await world.run([repository]);
    expect([code, log("build/without")]).toEqual([0, "[none]\n"]);
    expect(log("build/use")).toMatch(/^plain \*\*\*\n\*\*\*.{0,4}\nurl \*\*\*\nthe same\n$/);
    shown.push(view);
    for (const command of [
      ["secret", "list"],
      ["secret", "list", "-o", "json"],
      ["status", "-o", "json"],
      ["logs"],
      ["events", "-o", "json"],
    ])
      shown.push(await told(command));
    const backup = join(world.root, "backup.tar");
    await told(["backup", backup]);
    expect(shown.flatMap((text) => forms.filter((form) => text.includes(form)))).toEqual([]);
    expect(holding(world.dataDir, forms)).toEqual([]);
    const kept = readFileSync(backup);
    expect(forms.filter((form) => kept.includes(form))).toEqual([]);
    expect(statSync(join(world.dataDir, "secret-keys")).mode & 0o777).toBe(0o600);
  });

  it("stays masked when another step of its run prints it, also when that is repeated", async () => {
    const repository = world.repository("app", {
      ".shipinator.yaml": `
build:
  steps:
    - name: write
      secrets: [TOKEN]
      run: printf '%s' "$TOKEN" >app
      outputs: [{ type: binary, path: app }]
    - { name: print, run: 'echo "[$(cat app)]"; echo "$LATER"', env: { LATER: "of the deploy 77" } }
test:
  steps: [{ name: again, run: 'echo "[$(cat app)]"; [ -e ${join(world.root, "fixed")} ]' }]
deploy:
  artifact: app
  secrets: [DEPLOY]
  target: local
  run: "true"
`,
    });
    await told(["pipeline", "add", repository]);
    await told(["secret", "set", "TOKEN"], value);
    await told(["secret", "set", "DEPLOY"], "of the deploy 77");
    const { log } = await world.run([repository]);
    expect([log("build/write"), log("build/print"), log("test/again")]).toEqual([
      "",
      "[***]\n***\n",
      "[***]\n",
    ]);
    writeFileSync(join(world.root, "fixed"), "");
    const server = await startServer(world);
    const again = await told(["retry", "--failed", "--follow"]);
    expect(await server.stop()).toBe(0);
    expect(again).toContain("[***]");
    expect(again).not.toContain(value);
  });

  it("that is not there is named before anything begins, with what to do", async () => {
    const { code, run } = await world.run([world.repository("app", file())]);
    expect([code, run.failure_reason]).toEqual([1, "start_failed"]);
    expect(run.failure_message).toContain("The project has no secret TOKEN");
    expect(run.failure_message).toMatch(/shipinator secret set TOKEN --project \S+/);
  });

  it("can be set anew, removed, and sealed with another key; the old key opens nothing more", async () => {
    const repository = world.repository("app", file());
    await told(["pipeline", "add", repository]);
    await told(["secret", "set", "TOKEN"], "another one");
    await told(["secret", "set", "TOKEN", "--project", "app"], value);
    const keys = join(world.dataDir, "secret-keys");
    const before = readFileSync(keys, "utf8");
    expect(await told(["secret", "rotate"])).toContain("Encrypted 1 secret with the new key");
    expect(readFileSync(keys, "utf8")).not.toContain(before.trim());
    expect((await world.run([repository])).code).toBe(0);

    const now = readFileSync(keys, "utf8");
    writeFileSync(keys, before);
    const { run } = await world.run([repository]);
    expect(run.failure_message).toContain(
      "The secret TOKEN cannot be decrypted: it was encrypted with the key",
    );
    writeFileSync(keys, now);
    await told(["secret", "remove", "TOKEN"]);
    expect((await world.run([repository])).run.failure_message).toContain("The project has no secret TOKEN");
  });

  it.each([
    ["too short to be masked", "abc", "fewer than 4"],
    ["too long", "x".repeat(40_000), "more than 32768"],
    ["with a NUL", "ab\0cd", "no variable can"],
  ])("is refused when it is %s, and its value is not shown", async (_, given, words) => {
    await told(["pipeline", "add", world.repository("app", file())]);
    const { code, stderr } = await world.shipinator(["secret", "set", "TOKEN"], { input: given });
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    expect(stderr).not.toContain(given);
  });

  it("goes through a server as well, which does not give it back", async () => {
    const repository = world.repository("app", file());
    const server = await startServer(world);
    await told(["pipeline", "add", repository]);
    await told(["secret", "set", "TOKEN"], value);
    const { items } = await server.get<{ items: { id: string }[] }>("/v1/projects");
    const path = `/v1/projects/${items[0]?.id}/secrets`;
    const listed = await (await server.fetch(path)).text();
    expect(JSON.parse(listed).items).toMatchObject([{ name: "TOKEN", created_by: "admin" }]);
    const triggered = await world.shipinator(["trigger", "app", "--follow"]);
    expect(triggered.code).toBe(0);
    expect(triggered.stdout).toContain("plain ***");
    expect(await server.stop()).toBe(0);
    const { stderr } = await server.process.ended;
    const texts = [listed, triggered.stdout, triggered.stderr, stderr];
    expect(texts.flatMap((text) => forms.filter((form) => text.includes(form)))).toEqual([]);
    expect(holding(world.dataDir, forms)).toEqual([]);
  });
});

describe("keys of secrets", () => {
  it("may be given by the environment: the first seals, all open", async () => {
    const repository = world.repository("app", file());
    const [old, fresh] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString("base64"));
    const run = async (argv: readonly string[], keys: string, input = "") =>
      await world.shipinator(argv, { input, env: { SHIPINATOR_SECRETS_KEYS: keys } });
    await told(["pipeline", "add", repository]);
    expect((await run(["secret", "set", "TOKEN"], `${old}`, value)).code).toBe(0);
    expect((await run(["secret", "rotate"], `${fresh},${old}`)).stdout).toContain("1 secret");
    expect((await run(["run", repository], `${fresh}`)).code).toBe(0);
    expect(readdirSync(world.dataDir)).not.toContain("secret-keys");
    const wrong = await run(["list"], "not-a-key");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("SHIPINATOR_SECRETS_KEYS")]);
    expect(wrong.stderr).not.toContain("not-a-key");
  });

  it("are refused in a file that others can read", async () => {
    await told(["pipeline", "add", world.repository("app", file())]);
    await told(["secret", "set", "TOKEN"], value);
    const keys = join(world.dataDir, "secret-keys");
    const { chmodSync } = await import("node:fs");
    chmodSync(keys, 0o644);
    const { code, stderr } = await world.shipinator(["secret", "set", "TOKEN"], { input: value });
    expect([code, stderr]).toEqual([3, expect.stringContaining("others may know the keys")]);
  });
});
