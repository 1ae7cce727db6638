import { describe, expect, it } from "vitest";
import { createManualClock } from "./support/clock.ts";
import { createFakeClient } from "./support/fake-client.ts";
import { FakeRun, type RunShape } from "./support/fake-run.ts";
import { finish, start, until, type WriterShape } from "./support/harness.ts";

const terminal = { isTTY: true, columns: 60, rows: 20 };

async function launch(
  shape: RunShape,
  {
    stdout = terminal,
    environment = { NO_COLOR: "1" },
  }: {
    readonly stdout?: WriterShape;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
) {
  const clock = createManualClock();
  const run = new FakeRun(shape, clock);
  const command = start({
    argv: ["run"],
    client: createFakeClient({ runs: [run] }),
    clock,
    stdout,
    environment,
  });
  // Until the command is loaded and the view stands.
  await until(command, () => command.stdout.text().includes("Ctrl-C"));
  const shown = () => command.stdout.screen.lines();
  return { clock, run, command, shown };
}

describe("run on a terminal", () => {
  it("shows what runs with its last lines, and leaves a line for what has finished", async () => {
    const { clock, run, command, shown } = await launch({ build: ["compile", "image"], test: ["unit"] });
    run.start("build/compile");
    run.log("build/compile", "one\ntwo\nthree\nfour\nfive\nsix\n\nseven");
    await clock.advance(1_000);
    const head = "run 12 of hello (main, commit 1a2b3c4)";
    expect(shown().map((line) => line.replace(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/, "*").replace(/\d+\.\ds/, "T"))).toEqual([
      head,
      "* build/compile                         T",
      "    three",
      "    four",
      "    five",
      "    six",
      "    seven",
      "  0 of 3 steps · T · Ctrl-C cancels",
    ]);
    expect(command.stdout.screen.cursor).toBe("hidden");
    run.end("build/compile");
    run.start("build/image");
    await clock.advance(300);
    expect(shown().map((line) => line.replace(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/, "*"))).toEqual([
      head,
      "✓ build/compile                         1.0s",
      "* build/image                           0.3s",
      "  1 of 3 steps · 1.3s · Ctrl-C cancels",
    ]);
    run.end("build/image", { reason: "timed_out" });
    run.endJob("build", "failed", "timed_out");
    run.endJob("test", "canceled");
    run.moveRun("failed", "timed_out");
    expect(await finish(command)).toBe(1);
    expect(shown()).toEqual([
      head,
      "✓ build/compile                         1.0s",
      "✗ build/image                           timed_out  0.3s",
      "– test/unit                             canceled",
      "",
      "build        failed  1.3s",
      "  ✓ compile  1.0s",
      "  ✗ image    timed_out  0.3s",
      "test         canceled",
      "  – unit     canceled",
      "",
      "✗ build/image: timed_out",
      "  whole log: shipinator logs 12 --step build/image",
      "",
      "More  shipinator logs 12 · shipinator artifacts 12",
      "",
      "✗ run 12 of hello: failed (timed_out) in 1.3s",
      "Data directory: /data",
    ]);
    expect(command.stdout.screen.cursor).toBe("shown");
  });

  it("says that it waits when there is nothing to show yet, and then takes that back", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    const client = createFakeClient({ runs: [run] });
    const opened = Promise.withResolvers<readonly never[]>();
    client.abandoned = () => opened.promise;
    const command = start({ argv: ["run"], client, clock, stdout: terminal, environment: { NO_COLOR: "1" } });
    await clock.advance(400);
    expect(command.stdout.text()).toBe("");
    await clock.advance(200);
    expect(command.stdout.screen.lines()).toEqual([expect.stringMatching(/^. starting · 0\.\ds$/)]);
    command.interrupt();
    await clock.advance(100);
    expect(command.stdout.screen.lines()).toEqual([expect.stringMatching(/^. stopping · 0\.\ds$/)]);
    opened.resolve([]);
    expect(await finish(command)).toBe(130);
    expect(command.stdout.screen.lines()).toEqual([]);
    expect(command.stdout.screen.cursor).toBe("shown");
    expect(client.triggered).toEqual([]);
  });

  it("shows all running steps of a group, and shares the rows among them", async () => {
    const group = (name: string) => ({ name, group: "g" });
    const names = ["a", "b", "c"];
    const { clock, run, shown } = await launch(
      { test: names.map(group) },
      { stdout: { ...terminal, rows: 12 } },
    );
    for (const name of names) {
      run.start(`test/${name}`);
      run.log(`test/${name}`, "1\n2\n3\n4\n");
    }
    await clock.advance(200);
    expect(shown().map((line) => line.replace(/^. (?=test)/, "* "))).toEqual([
      "run 12 of hello (main, commit 1a2b3c4)",
      "* test/a                                0.2s",
      "    3",
      "    4",
      "* test/b                                0.2s",
      "    3",
      "    4",
      "* test/c                                0.2s",
      "    3",
      "    4",
      "  0 of 3 steps · 0.2s · Ctrl-C cancels",
    ]);
  });

  it("counts the running steps for which there is no row", async () => {
    const names = Array.from({ length: 30 }, (_, index) => `s${index}`);
    const { clock, run, shown } = await launch(
      { test: names.map((name) => ({ name, group: "g" })) },
      {
        stdout: { ...terminal, rows: 10 },
      },
    );
    for (const name of names) run.start(`test/${name}`);
    await clock.advance(200);
    expect(shown()).toHaveLength(9);
    expect(shown().slice(-2)).toEqual([
      "  and 24 more steps running",
      "  0 of 30 steps · 0.2s · Ctrl-C cancels",
    ]);
  });

  it("lets nothing of a step drive the terminal", async () => {
    // The screen throws on any sequence that is not the view's own.
    const { clock, run, command, shown } = await launch({ build: ["evil\x1b[2Jname"] });
    run.start("build/evil\x1b[2Jname");
    const log = (text: string) => run.log("build/evil\x1b[2Jname", text);
    log("\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b[2J\x1b[H\u009b5A\n 10%\r 50%\r100%\r\n");
    log("\x1bPq\x1b\\\x07\x08bell\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n");
    await clock.advance(200);
    expect(shown().join("\n")).toContain(
      "build/evilname                        0.2s\n    red\n    100%\n    belllink\n",
    );
    log("\u202egnp.exe\n漢字\t|\n\x1b]0;never ends");
    await clock.advance(200);
    expect(shown().slice(2)).toEqual([
      "    red",
      "    100%",
      "    belllink",
      "    gnp.exe",
      "    漢字      |",
      "  0 of 1 step · 0.4s · Ctrl-C cancels",
    ]);
    run.end("build/evil\x1b[2Jname", { reason: "script_failed", exit: 1, message: "\x1b[5mblink" });
    run.endJob("build", "failed", "script_failed");
    run.moveRun("failed", "script_failed");
    expect(await finish(command)).toBe(1);
    expect(shown().join("\n")).toContain("  | belllink\n");
  });

  it("cuts long and wide lines to 40 columns and wraps nothing", async () => {
    const stdout = { ...terminal, columns: 40 };
    const long = "a-step-with-a-rather-long-name-that-goes-on";
    const { clock, run, command, shown } = await launch({ build: [long] }, { stdout });
    run.start(`build/${long}`);
    run.log(`build/${long}`, `${"x".repeat(200)}\n${"漢".repeat(50)}\n👩‍👩‍👧‍👦ok\n`);
    await clock.advance(200);
    expect(
      shown()
        .slice(1)
        .map((line) => line.replace(/^. (?=build)/, "* ")),
    ).toEqual([
      "* build/a-step-with-a-rather-lon…  0.2s",
      `    ${"x".repeat(34)}…`,
      `    ${"漢".repeat(17)}…`,
      "    👩‍👩‍👧‍👦ok",
      "  0 of 1 step · 0.2s · Ctrl-C cancels",
    ]);
    for (const frame of command.stdout.writes) expect(frame.length).toBeLessThan(2_000);
  });

  it("follows a resize, and leaves nothing of the old width behind", async () => {
    const { clock, run, command, shown } = await launch(
      { build: ["compile"] },
      { stdout: { ...terminal, columns: 80 } },
    );
    run.start("build/compile");
    run.log("build/compile", `${"y".repeat(200)}\n`);
    await clock.advance(200);
    expect(shown()[2]).toBe(`    ${"y".repeat(74)}…`);
    command.stdout.screen.resize(40);
    command.stdout.columns = 40;
    await clock.advance(200);
    expect(shown().map((line) => line.replace(/^. (?=build)/, "* "))).toEqual([
      "run 12 of hello (main, commit 1a2b3c4)",
      "* build/compile                    0.4s",
      `    ${"y".repeat(34)}…`,
      "  0 of 1 step · 0.4s · Ctrl-C cancels",
    ]);
  });

  it("draws at most ten frames a second, whatever a step writes", async () => {
    const { clock, run, command } = await launch({ build: ["chatty"] });
    run.start("build/chatty");
    const before = command.stdout.writes.length;
    for (let line = 0; line < 1_000; line += 1) {
      run.log("build/chatty", `line ${line}\n`);
      await clock.advance(1);
    }
    expect(command.stdout.writes.length - before).toBeLessThanOrEqual(10);
  });

  it("prints only what did not succeed in a run of 1,000 steps", async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `s${index}`);
    const { clock, run, command, shown } = await launch({ build: names });
    for (const name of names.slice(0, 900)) run.step(`build/${name}`);
    await clock.advance(3_000);
    run.step("build/s900", "boom\n", { reason: "script_failed", exit: 2 });
    run.endJob("build", "failed", "script_failed");
    run.moveRun("failed", "script_failed");
    expect(await finish(command)).toBe(1);
    expect(shown()).toEqual([
      "run 12 of hello (main, commit 1a2b3c4)",
      "✗ build/s900             script_failed, exit status 2  0.0s",
      "",
      "build     failed  3.0s",
      "  ✓ s0    0.0s",
      "  ✓ s1    0.0s",
      "  ✓ s2    0.0s",
      "  ✗ s900  script_failed, exit status 2  0.0s",
      "  … and 897 succeeded, 99 skipped",
      "",
      "✗ build/s900: script_failed, exit status 2",
      "  | boom",
      "  whole log (5 B): shipinator logs 12 --step build/s900",
      "",
      "More  shipinator logs 12 · shipinator artifacts 12",
      "",
      "✗ run 12 of hello: failed (script_failed) in 3.0s",
      "Data directory: /data",
    ]);
  });

  it("is plain where the terminal cannot move its cursor", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    const command = start({
      argv: ["run"],
      client: createFakeClient({ runs: [run] }),
      clock,
      stdout: terminal,
      environment: { TERM: "dumb" },
    });
    await clock.advance(10);
    run.step("build/compile", "a\x1b[31mb\n");
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    expect(command.stdout.text()).not.toContain("\x1b");
    expect(command.stdout.text()).toContain("[build/compile] ab\n");
  });

  it("colours what it says unless told not to", async () => {
    const { clock, run, command } = await launch({ build: ["compile"] }, { environment: {} });
    run.start("build/compile");
    await clock.advance(200);
    expect(command.stdout.text()).toContain(
      "\x1b[36m⠋\x1b[39m build/compile".replace("⠋", command.stdout.text().match(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/)?.[0] ?? ""),
    );
    run.end("build/compile");
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(0);
    expect(command.stdout.text()).toContain("\x1b[32m✓\x1b[39m build/compile");
  });
});
