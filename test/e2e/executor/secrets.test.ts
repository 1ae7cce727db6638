import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobSpec } from "../../../src/domain/index.ts";
import { Problem } from "../../../src/kernel/index.ts";
import { handleOf } from "../../unit/executor/specs.ts";
import { isAlive, makeWorld, type World } from "./world.ts";

let world: World;
let job: JobSpec;
beforeAll(async () => {
  world = makeWorld();
  job = await world.open();
});
afterAll(() => world[Symbol.asyncDispose]());

const secrets = { secrets: ["TOKEN"] };
const value = "value of TOKEN";

describe("a step with secrets", () => {
  it("has them as variables, and they are masked in its log, as they are and encoded", async () => {
    const { exitCode, log, logBytes } = await world.run(
      job,
      'printf "%s" "$TOKEN" >seen; echo "it is $TOKEN."; printf "%s" "$TOKEN" | base64; echo done',
      secrets,
    );
    expect(readFileSync(world.path(job, "workspace", "seen"), "utf8")).toBe(value);
    expect([exitCode, logBytes]).toEqual([0, log.length]);
    expect(log).toMatch(/^it is \*\*\*\.\n\*\*\*.{0,4}\ndone\n$/);
  });

  it("is masked where the value comes in two pieces, and on standard error", async () => {
    const { log } = await world.run(
      job,
      'printf "value o"; sleep 0.2; printf "f TOKEN and value o"; sleep 0.2; echo; echo "$TOKEN" >&2',
      secrets,
    );
    expect(log).toBe("*** and value o\n***\n");
  });

  it("keeps every other byte, binary ones too, and its exit status", async () => {
    const { exitCode, reason, logBytes } = await world.run(
      job,
      "head -c 3000000 /dev/zero; printf '\\377\\376'; exit 7",
      secrets,
    );
    expect([exitCode, reason, logBytes]).toEqual([7, "script_failed", 3_000_002]);
  });

  it("counts what is over the cap, and drains it", async () => {
    await using small = makeWorld({ logCapBytes: 1_000 });
    const own = await small.open();
    const outcome = await small.run(own, 'echo "$TOKEN"; head -c 5000 /dev/zero; echo end >ended', secrets);
    expect(outcome).toMatchObject({ exitCode: 0, logBytes: 1_000, logDropped: 4_004 });
    expect(outcome.log.startsWith("***\n")).toBe(true);
    expect(existsSync(small.path(own, "workspace", "ended"))).toBe(true);
  });

  it("keeps its whole log where nobody holds it, however long the log's program takes to start", async () => {
    await using hasty = makeWorld({ holdMs: 1 });
    const { exitCode, log } = await hasty.run(await hasty.open(), 'echo "$TOKEN"; echo done', secrets);
    expect([exitCode, log]).toEqual([0, "***\ndone\n"]);
  });

  it("does not wait for a grandchild that holds its log, and keeps what may have been the half of a value", async () => {
    const { exitCode, log } = await world.run(
      job,
      "echo $$ >pid; sleep 600 & printf 'it was value of'",
      secrets,
    );
    expect([exitCode, log]).toEqual([0, "it was value of"]);
  });

  it("is ended by a cancel as any other, with what it wrote", async () => {
    const spec = await world.submit(job, 'echo "$TOKEN"; echo $$ >running; sleep 600', {
      ...secrets,
      parallelGroup: "g",
    });
    const pid = await world.appears(world.path(job, "workspace", "running"));
    await world.executor.cancel(handleOf(spec), "canceled", 2);
    expect((await world.ended(spec)).reason).toBe("canceled");
    expect([world.log(spec), isAlive(pid)]).toEqual(["***\n", false]);
  });

  it("is followed by a server that comes later, masked to its end", async () => {
    await using own = makeWorld();
    const open = await own.open();
    const spec = await own.submit(
      open,
      'echo "$TOKEN"; echo >half; until [ -e go ]; do sleep 0.01; done; echo "$TOKEN"',
      secrets,
    );
    await own.appears(own.path(open, "workspace", "half"));
    await own.restart();
    writeFileSync(own.path(open, "workspace", "go"), "");
    const outcome = await own.ended(spec);
    expect([outcome.exitCode, own.log(spec)]).toEqual([0, "***\n***\n"]);
  });

  it("has those of its run's other steps masked, which it does not get", async () => {
    await using own = makeWorld();
    const open = await own.open({ runSecrets: ["TOKEN", "OTHER"] });
    await own.run(open, 'echo "$TOKEN" >kept; echo "[$OTHER]"', secrets);
    const { log } = await own.run(open, 'cat kept; echo "[$TOKEN]"');
    expect(log).toBe("***\n[]\n");
  });

  it.each([
    ["its own", secrets, {}],
    ["its run's", {}, { runSecrets: ["TOKEN"] }],
  ])("names no file of the workspace in a message about outputs: with %s secrets", async (_, own, run) => {
    await using world = makeWorld();
    const open = await world.open(run);
    const spec = await world.submit(open, "mkdir d && >d/NewSecretAb12CdEf34", own);
    await world.ended(spec);
    const output = { name: "it", type: "binary" as const, ref: null, required: true };
    const paths = ["d/nothing", "d/*.tgz", "nowhere/x"];
    const wanted = paths.map((path) => ({ ...output, path }));
    const found = await world.executor.outputs(spec, wanted, new AbortController().signal);
    const hidden = "holds one name, not shown because the run has secrets";
    expect(found).toMatchObject([
      { message: `no file matches d/nothing; d/ ${hidden}` },
      { message: `no file matches d/*.tgz; d/ ${hidden}` },
      { message: `no file matches nowhere/x; the workspace ${hidden.replace("one name", "2 names")}` },
    ]);
  });

  it("does not begin when one of them cannot be had", async () => {
    await using own = makeWorld({
      secrets: () =>
        Promise.reject(
          new Problem("executor_failed", "The project has no secret TOKEN.", { remedy: "Set it." }),
        ),
    });
    const outcome = await own.run(await own.open(), ": >began", secrets);
    expect(outcome).toMatchObject({ began: false, reason: "start_failed", workspaceWhole: true });
    expect(outcome.message).toContain("The project has no secret TOKEN. Set it.");
  });

  it("leaves nothing of them when its job is closed", async () => {
    await using own = makeWorld();
    const open = await own.open();
    await own.run(open, "true", secrets);
    const steps = own.path(open, "steps");
    expect(existsSync(steps)).toBe(true);
    await own.executor.close(open);
    expect(existsSync(join(own.directory, "executor", `${open.jobId}.1`))).toBe(false);
  });
});
