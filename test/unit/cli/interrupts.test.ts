import { describe, expect, it } from "vitest";
import { createManualClock } from "./support/clock.ts";
import { createFakeClient } from "./support/fake-client.ts";
import { FakeRun } from "./support/fake-run.ts";
import { finish, start, until } from "./support/harness.ts";

async function launch(stdout: { isTTY?: boolean } = {}) {
  const clock = createManualClock();
  const run = new FakeRun({ build: ["compile", "image"] }, clock);
  const client = createFakeClient({ runs: [run] });
  const command = start({ argv: ["run"], client, clock, stdout, environment: { NO_COLOR: "1" } });
  await until(command, () => command.stdout.text().includes("run 12"));
  run.start("build/compile");
  await clock.advance(200);
  return { clock, run, client, command };
}

function cancel(run: FakeRun): void {
  run.end("build/compile", { reason: "canceled" });
  run.endJob("build", "canceled", "canceled");
  run.moveRun("canceled", "canceled");
}

describe("Ctrl-C during run", () => {
  it("cancels at the first, shows the run to its end, and exits 130", async () => {
    const { clock, run, client, command } = await launch();
    command.interrupt();
    await clock.advance(200);
    expect(client.asked.filter((what) => what === "cancel")).toHaveLength(1);
    expect(command.stdout.text()).toContain("canceling, press Ctrl-C again to force\n");
    cancel(run);
    expect(await finish(command)).toBe(130);
    expect(command.stdout.text()).toContain("– build/compile canceled, 0.4s\n– build/image canceled\n");
    expect(command.stdout.text()).toContain("– run 12 of hello: canceled in 0.4s\n");
    expect(command.stderr.text()).toBe("");
    expect(command.closed()).toBe(1);
    expect(command.listening()).toBe(0);
  });

  it("says so in the bottom line of a terminal", async () => {
    const { clock, run, command } = await launch({ isTTY: true });
    command.interrupt();
    await clock.advance(200);
    expect(command.stdout.screen.lines().at(-1)).toBe(
      "  0 of 2 steps · 0.4s · canceling, press Ctrl-C again to force",
    );
    cancel(run);
    expect(await finish(command)).toBe(130);
    expect(command.stdout.screen.cursor).toBe("shown");
  });

  it("exits 130 even where success came before the cancel", async () => {
    const { run, command } = await launch();
    command.interrupt();
    run.end("build/compile");
    run.step("build/image");
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(130);
    expect(command.stdout.text()).toContain("✓ run 12 of hello: success");
  });

  it("takes one press that arrives twice, as through a launcher or npm, for one", async () => {
    const { clock, run, client, command } = await launch();
    command.interrupt();
    await clock.advance(100);
    command.interrupt();
    await clock.advance(50);
    command.interrupt();
    await clock.advance(200);
    expect(client.asked.filter((what) => what === "cancel")).toHaveLength(1);
    expect(client.asked).not.toContain("force");
    cancel(run);
    expect(await finish(command)).toBe(130);
    expect(command.stderr.text()).toBe("");
    expect(command.closed()).toBe(1);
  });

  it("leaves at the second, says which command continues the run, and closes", async () => {
    const { clock, client, command } = await launch({ isTTY: true });
    command.interrupt();
    await clock.advance(200);
    command.interrupt();
    expect(await finish(command)).toBe(130);
    expect(client.asked).toContain("force");
    expect(command.stderr.text()).toBe(
      "note: Unfinished: run 12 of hello. Resume it with: shipinator resume 12\n",
    );
    expect(command.stdout.screen.cursor).toBe("shown");
    expect(command.stdout.screen.lines()).toEqual(["run 12 of hello (main, commit 1a2b3c4)"]);
    expect(command.closed()).toBe(1);
  });

  it("ends at the third though closing hangs", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    const client = createFakeClient({ runs: [run] });
    const command = start({
      argv: ["run"],
      clock,
      openClient: async () => ({
        client,
        dataDir: "/data",
        location: "local" as const,
        close: () => new Promise(() => {}),
      }),
    });
    await until(command, () => command.stdout.text().includes("run 12"));
    command.interrupt();
    await clock.advance(200);
    command.interrupt();
    await clock.advance(200);
    command.interrupt();
    expect(await finish(command)).toBe(130);
  });

  it("makes no run when it comes while the database still starts", async () => {
    const clock = createManualClock();
    const client = createFakeClient({ runs: [new FakeRun({ build: ["compile"] }, clock)] });
    const opened = Promise.withResolvers<void>();
    let closed = 0;
    const close = async () => {
      closed += 1;
    };
    const command = start({
      argv: ["run"],
      clock,
      async openClient() {
        await opened.promise;
        return { client, dataDir: "/data", location: "local" as const, close };
      },
    });
    await until(command, () => command.listening() > 0);
    command.interrupt();
    opened.resolve();
    expect(await finish(command)).toBe(130);
    expect(client.triggered).toEqual([]);
    expect(closed).toBe(1);
  });

  it("reports a cancel that was refused, and goes on", async () => {
    const { run, client, command } = await launch();
    client.cancel = async () => {
      throw new Error("connection lost");
    };
    command.interrupt();
    run.end("build/compile");
    run.step("build/image");
    run.endJob("build", "succeeded");
    run.moveRun("success");
    expect(await finish(command)).toBe(130);
    expect(command.stderr.text()).toBe("warning: connection lost\n");
  });
});

describe("a run canceled by somebody else", () => {
  it("exits 1", async () => {
    const { run, command } = await launch();
    cancel(run);
    expect(await finish(command)).toBe(1);
  });
});

describe("Ctrl-C during a look", () => {
  it("ends logs --follow with 130 and closes", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    run.start("build/compile");
    run.log("build/compile", "hello\n");
    const command = start({
      argv: ["logs", "latest", "-f"],
      client: createFakeClient({ runs: [run] }),
      clock,
    });
    await until(command, () => command.stdout.text() !== "");
    command.interrupt();
    expect(await finish(command)).toBe(130);
    expect(command.stdout.text()).toBe("[build/compile] hello\n");
    expect(command.closed()).toBe(1);
  });
});

describe("abandoned runs", () => {
  function abandoned(clock: ReturnType<typeof createManualClock>, number: number): FakeRun {
    const run = new FakeRun({ build: ["compile"] }, clock, { number, project: "other", pipeline: "other" });
    run.start("build/compile");
    return run;
  }
  const end = (run: FakeRun) => {
    run.end("build/compile");
    run.endJob("build", "succeeded");
    run.moveRun("success");
  };

  it("are carried to their end, a line each, before run does its own", async () => {
    const clock = createManualClock();
    const mine = new FakeRun({ build: ["compile"] }, clock);
    const left = [abandoned(clock, 3), abandoned(clock, 4)];
    const client = createFakeClient({
      runs: [mine],
      abandoned: left,
      onResume: (run) => queueMicrotask(() => end(run)),
      onTrigger: (run) => {
        run.step("build/compile");
        run.endJob("build", "succeeded");
        run.moveRun("success");
      },
    });
    const command = start({ argv: ["run"], client, clock });
    expect(await finish(command)).toBe(0);
    expect(command.stdout.text().split("\n").slice(0, 6)).toEqual([
      "note: 2 runs were left unfinished by an earlier command. Resuming first.",
      "▸ run 3 of other resumed",
      expect.stringMatching(/^✓ run 3 of other: success after 0\.\ds$/),
      "▸ run 4 of other resumed",
      expect.stringMatching(/^✓ run 4 of other: success after 0\.\ds$/),
      "run 12 of hello (main, commit 1a2b3c4)",
    ]);
  });

  it("are canceled by Ctrl-C too, and then nothing new is begun", async () => {
    const clock = createManualClock();
    const left = abandoned(clock, 3);
    const client = createFakeClient({
      runs: [new FakeRun({ build: ["compile"] }, clock)],
      abandoned: [left],
      onCancel: cancel,
    });
    const command = start({ argv: ["run"], client, clock });
    await until(command, () => command.stdout.text().includes("resumed"));
    command.interrupt();
    expect(await finish(command)).toBe(130);
    expect(client.triggered).toEqual([]);
    expect(command.stdout.text()).toContain(
      "canceling run 3 of other, press Ctrl-C again to force\n– run 3 of other: canceled",
    );
  });

  it("are mentioned by the commands that only look", async () => {
    const clock = createManualClock();
    const client = createFakeClient({ runs: [new FakeRun({}, clock)], abandoned: [abandoned(clock, 3)] });
    const command = start({ argv: ["status", "12"], client, clock });
    expect(await finish(command)).toBe(0);
    expect(command.stderr.text()).toBe(
      "note: Unfinished: run 3 of other. Resume it with: shipinator resume 3\n",
    );
    expect(command.opened).toEqual(["read"]);
  });

  it("are named by id where another run has that number too", async () => {
    const clock = createManualClock();
    const left = abandoned(clock, 12);
    const client = createFakeClient({ runs: [new FakeRun({}, clock)], abandoned: [left] });
    const command = start({ argv: ["list"], client, clock });
    expect(await finish(command)).toBe(0);
    expect(command.stderr.text()).toContain(`shipinator resume ${left.detail.id}\n`);
  });

  it("are continued by resume, with the full view; it fails when one of them fails", async () => {
    const clock = createManualClock();
    const client = createFakeClient({
      runs: [],
      abandoned: [abandoned(clock, 3), abandoned(clock, 4)],
      onResume(run) {
        if (run.detail.number === 4) return end(run);
        run.end("build/compile", { reason: "executor_lost", message: "the machine was restarted" });
        run.endJob("build", "failed", "executor_lost");
        run.moveRun("failed", "executor_lost");
      },
    });
    const command = start({ argv: ["resume"], client, clock });
    expect(await finish(command)).toBe(1);
    expect(command.stdout.text()).toContain("✗ build/compile: executor_lost\n  the machine was restarted\n");
    expect(command.stdout.text()).toContain("✓ run 4 of other: success");
  });

  it("are one list with -o json, also when there are none; the one that was named is no list", async () => {
    const answer = async (argv: readonly string[], numbers: readonly number[]) => {
      const clock = createManualClock();
      const left = numbers.map((number) => abandoned(clock, number));
      const client = createFakeClient({ runs: [], abandoned: left, onResume: end });
      const command = start({ argv: ["resume", ...argv, "-o", "json"], client, clock });
      expect(await finish(command)).toBe(0);
      return JSON.parse(command.stdout.text());
    };
    expect(await answer([], [])).toEqual([]);
    expect(await answer([], [3, 4])).toMatchObject([{ number: 3 }, { number: 4, status: "success" }]);
    expect(await answer(["3"], [3])).toMatchObject({ number: 3, status: "success" });
  });

  it("resume refuses a run that is over", async () => {
    const clock = createManualClock();
    const run = new FakeRun({ build: ["compile"] }, clock);
    run.step("build/compile");
    run.moveRun("success");
    const command = start({ argv: ["resume", "12"], client: createFakeClient({ runs: [run] }), clock });
    expect(await finish(command)).toBe(2);
    expect(command.stderr.text()).toContain("The run cannot be resumed, because it has ended (success).");
  });
});
