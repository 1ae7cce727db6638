import { describe, expect, it } from "vitest";
import { createManualClock } from "./support/clock.ts";
import { createFakeClient } from "./support/fake-client.ts";
import { FakeRun } from "./support/fake-run.ts";
import { finish, start } from "./support/harness.ts";

describe("run in a pipe", () => {
  it("shows prefixed lines, then the summary with everything a person needs", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"], test: ["unit"], deploy: ["deploy"] }, clock, {
      dirty: true,
    });
    const client = createFakeClient({ runs: [run], notes: ["image is not used by the local executor"] });
    const command = start({ argv: ["run"], client, clock });
    await clock.advance(100);
    run.start("build/compile");
    run.log("build/compile", "cc -o app\nwarning: unu");
    await clock.advance(1_200);
    run.log("build/compile", "sed\n");
    run.end("build/compile");
    run.artifact("build", "app", { storage_path: "/data/artifacts/0199/payload" });
    run.endJob("build", "succeeded");
    run.step("test/unit", "ok 1\nok 2");
    run.endJob("test", "succeeded");
    run.start("deploy/deploy");
    await clock.advance(500);
    run.log("deploy/deploy", "hello is in /srv/hello\n");
    run.end("deploy/deploy");
    run.endJob("deploy", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    expect(command.stderr.text()).toBe("");
    expect(command.stdout.text()).toBe(`run 12 of hello (main, commit 1a2b3c4 with uncommitted changes)
note: image is not used by the local executor
▸ build/compile
[build/compile] cc -o app
[build/compile] warning: unused
✓ build/compile 1.2s
▸ test/unit
[test/unit] ok 1
[test/unit] ok 2
✓ test/unit 0.0s
▸ deploy/deploy
[deploy/deploy] hello is in /srv/hello
✓ deploy/deploy 0.5s

build        succeeded  1.2s
  ✓ compile  1.2s
test         succeeded  0.0s
  ✓ unit     0.0s
deploy       succeeded  0.5s
  ✓ deploy   0.5s

Deployed
  hello is in /srv/hello

Artifacts
  app  binary  2.0 KiB
    sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    /data/artifacts/0199/payload

More  shipinator logs 12 · shipinator artifacts 12

✓ run 12 of hello: success in 1.7s
Data directory: /data
`);
    expect(client.triggered).toEqual([
      { source: { kind: "directory", path: "/home/ada/hello", ref: null }, only: null, by: "ada" },
    ]);
    expect(command.opened).toEqual(["run"]);
    expect(command.closed()).toBe(1);
    expect(command.listening()).toBe(0);
  });

  it("says once for each cause why nothing goes on, and nothing of it while something does", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile", "pack"] }, clock);
    const cause = { entity: "step", entity_id: "s", since: null } as const;
    let message = "step compile waits: only 999 bytes are free in /data/executor";
    const causes = () => [{ code: "waiting_for_space", message, ...cause } as const];
    const client = createFakeClient({ runs: [run], causes });
    const command = start({ argv: ["run"], client, clock });
    await clock.advance(1_900);
    expect(command.stdout.text()).not.toContain("note:");
    await clock.advance(200);
    message = "step compile waits: only 998 bytes are free in /data/executor";
    await clock.advance(20_000);
    expect(command.stdout.text().match(/^note: .*/gm)).toEqual([
      "note: step compile waits: only 999 bytes are free in /data/executor",
    ]);
    run.start("build/compile");
    await clock.advance(100);
    const looked = client.asked.length;
    await clock.advance(20_000);
    expect(client.asked.slice(looked).filter((what) => what.startsWith("why"))).toEqual([]);
    run.end("build/compile");
    run.step("build/pack", "ok");
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    expect(command.stderr.text()).toBe("");
  });

  it("shows a failure with the reason's word, the exit status, the last lines and the command for more", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ test: ["it's unit", "lint"] }, clock);
    const command = start({ argv: ["run"], client: createFakeClient({ runs: [run] }), clock });
    await clock.advance(10);
    run.start("test/it's unit");
    const lines = Array.from({ length: 30 }, (_, index) => `line ${index + 1}`).join("\n");
    run.log("test/it's unit", `${lines}\n\x1b[31mFAIL\x1b[0m a\ttab\n`);
    await clock.advance(400);
    run.end("test/it's unit", { reason: "script_failed", exit: 7 });
    run.endJob("test", "failed", "script_failed");
    run.moveRun("failed", "script_failed");
    expect(await finish(command)).toBe(1);
    const text = command.stdout.text();
    expect(text).toContain("✗ test/it's unit script_failed, exit status 7, 0.4s\n– test/lint skipped\n");
    const shown = Array.from({ length: 19 }, (_, index) => `  | line ${index + 12}\n`).join("");
    expect(text).toContain(`
test           failed  0.4s
  ✗ it's unit  script_failed, exit status 7  0.4s
  – lint       skipped

✗ test/it's unit: script_failed, exit status 7
${shown}  | FAIL a  tab
  whole log (251 B): shipinator logs 12 --step 'test/it'\\''s unit'

More  shipinator logs 12 · shipinator artifacts 12

✗ run 12 of hello: failed (script_failed) in 0.4s
Data directory: /data
`);
  });

  it("passes the bytes of a step through as they are and never cuts a line of a parallel step", async () => {
    const clock = createManualClock();
    const group = (name: string) => ({ name, group: "g" });
    const run = new FakeRun({ test: [group("a"), group("b")] }, clock);
    const command = start({ argv: ["run"], client: createFakeClient({ runs: [run] }), clock });
    await clock.advance(10);
    run.start("test/a");
    run.start("test/b");
    await clock.advance(10);
    run.log("test/a", Buffer.from([0x61, 0xff, 0x00]));
    await clock.advance(10);
    run.log("test/b", "\x1b[2Jb1\r\nb2");
    await clock.advance(10);
    run.log("test/a", Buffer.from([0xfe, 0x0a]));
    await clock.advance(10);
    run.end("test/b");
    await clock.advance(100);
    run.end("test/a");
    run.endJob("test", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    const expected = Buffer.concat([
      Buffer.from("▸ test/a\n▸ test/b\n[test/b] \x1b[2Jb1\r\n[test/a] "),
      Buffer.from([0x61, 0xff, 0x00, 0xfe, 0x0a]),
      Buffer.from("[test/b] b2\n✓ test/b 0.0s\n✓ test/a 0.1s\n"),
    ]);
    const bytes = command.stdout.bytes();
    expect(bytes.subarray(bytes.indexOf("▸"), bytes.indexOf("\n\ntest ") + 1).toString("latin1")).toBe(
      expected.toString("latin1"),
    );
  });

  it("keeps steps in reading order however late their logs and ends are heard of", async () => {
    const clock = createManualClock();
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    const run = new FakeRun({ build: names }, clock);
    const client = createFakeClient({ runs: [run] });
    const command = start({ argv: ["run"], client, clock });
    await clock.advance(10);
    for (const name of names) run.step(`build/${name}`, `from ${name}\n`);
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    const shown = names
      .map((name) => `▸ build/${name}\n[build/${name}] from ${name}\n✓ build/${name} 0.0s\n`)
      .join("");
    expect(command.stdout.text()).toContain(shown);
  });

  it("names the attempts of a stage that was started anew", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["flaky"], test: ["unit"] }, clock);
    const command = start({ argv: ["run"], client: createFakeClient({ runs: [run] }), clock });
    await clock.advance(10);
    run.step("build/flaky", "one\n", { reason: "script_failed", exit: 1 });
    run.endJob("build", "failed", "script_failed");
    run.retry("build");
    await clock.advance(50);
    run.step("build/flaky", "two\n");
    run.endJob("build", "succeeded");
    run.step("test/unit");
    run.endJob("test", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    expect(command.stdout.text()).toContain(`▸ build/flaky
[build/flaky] one
✗ build/flaky script_failed, exit status 1, 0.0s
▸ build#2/flaky
[build#2/flaky] two
✓ build#2/flaky 0.0s
▸ test/unit
✓ test/unit 0.0s

build      succeeded  0.0s attempt 2
  ✓ flaky  0.0s
`);
  });

  it("asks for a run of 300 steps a bounded number of times", async () => {
    const clock = createManualClock();
    const names = Array.from({ length: 300 }, (_, index) => `s${index}`);
    const run = new FakeRun({ build: names }, clock);
    const client = createFakeClient({ runs: [run] });
    const command = start({ argv: ["run"], client, clock });
    await clock.advance(10);
    for (const name of names) run.step(`build/${name}`);
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    expect(client.asked.filter((what) => what === "get").length).toBeLessThan(10);
    expect(command.stdout.text()).toContain(`
build     succeeded  0.0s
  ✓ s0    0.0s
  ✓ s1    0.0s
  ✓ s2    0.0s
  … and 297 succeeded
`);
  });

  it("prints one JSON document on stdout and the progress on stderr", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    const command = start({ argv: ["run", "-o", "json"], client: createFakeClient({ runs: [run] }), clock });
    await clock.advance(10);
    run.step("build/compile", "hi\n");
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    expect(JSON.parse(command.stdout.text())).toEqual(JSON.parse(JSON.stringify(run.detail)));
    expect(command.stderr.text()).toContain("[build/compile] hi\n");
  });

  it("goes on quietly when nobody reads any more, and tells by its exit code how it ended", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    const command = start({ argv: ["run"], client: createFakeClient({ runs: [run] }), clock });
    await clock.advance(10);
    command.stdout.leave();
    run.step("build/compile", "hi\n", { reason: "script_failed", exit: 1 });
    run.endJob("build", "failed", "script_failed");
    run.moveRun("failed", "script_failed");
    expect(await finish(command)).toBe(1);
    expect(command.stderr.text()).toBe("");
  });

  it("carries the run on when its output cannot be written, and says so at the end", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    const command = start({ argv: ["run"], client: createFakeClient({ runs: [run] }), clock });
    await clock.advance(10);
    command.stdout.fail(new Error("ENOSPC: no space left on device, write"));
    run.step("build/compile", "hi\n");
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(3);
    expect(command.closed()).toBe(1);
    expect(command.stderr.text()).toBe(
      "error: Standard output cannot be written: ENOSPC: no space left on device, write.\n" +
        "  The command has finished, and only its output is incomplete. See: shipinator list, shipinator status\n",
    );
  });

  it("adds colours to its own words when told to, and none otherwise", async () => {
    const outputOf = async (environment: Record<string, string>) => {
      const clock = createManualClock();
      const run = new FakeRun({ build: ["compile"] }, clock);
      const command = start({ argv: ["run"], client: createFakeClient({ runs: [run] }), clock, environment });
      await clock.advance(10);
      run.step("build/compile", "hi\n");
      run.endJob("build", "succeeded");
      run.moveRun("success");
      await finish(command);
      return command.stdout.text();
    };
    expect(await outputOf({ FORCE_COLOR: "1" })).toContain(
      "\x1b[2m[build/compile] \x1b[22mhi\n\x1b[32m✓\x1b[39m build",
    );
    expect(await outputOf({ FORCE_COLOR: "1", NO_COLOR: "1" })).not.toContain("\x1b");
    expect(await outputOf({ LC_ALL: "C" })).toContain(
      "> build/compile\n[build/compile] hi\n+ build/compile 0.0s\n",
    );
  });
});
