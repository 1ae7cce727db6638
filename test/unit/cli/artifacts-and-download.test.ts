import { describe, expect, it } from "vitest";
import { execute, finishedRun } from "./support/execute.ts";
import type { FakeRun } from "./support/fake-run.ts";

describe("artifacts and download", () => {
  const payload = Buffer.from("payload");
  const checksum = "239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5";
  const runWith = (shape: Parameters<FakeRun["artifact"]>[2] = {}) => {
    const run = finishedRun();
    run.artifact("build", "app", { checksum, size: payload.length, ...shape });
    return run;
  };

  it("lists them, exactly in a pipe", async () => {
    const run = runWith();
    const { stdout } = await execute(["artifacts", "12"], { runs: [run] });
    const id = run.detail.artifacts[0]?.id;
    expect(stdout).toBe(
      `NAME  TYPE    SIZE  ID${" ".repeat(36)}DIGEST\napp   binary     7  ${id}  sha256:${checksum}\n`,
    );
    expect(
      JSON.parse((await execute(["artifacts", "12", "-o", "json"], { runs: [run] })).stdout),
    ).toHaveLength(1);
    expect((await execute(["artifacts"])).stderr).toBe("note: This run has no artifacts.\n");
  });

  it("saves under the artifact's own name, a path, or in a directory", async () => {
    const plain = await execute(["download", "12/app"], { runs: [runWith()], payload });
    expect(plain.stdout).toBe(`app  7 B  sha256:${checksum}\n`);
    expect(plain.command.files.get("app")).toEqual(payload);
    const named = await execute(["download", "12/app", "--to", "x"], { runs: [runWith()], payload });
    expect(named.command.files.get("x")).toEqual(payload);
    const files = new Map([["out/", ""]]);
    const inside = await execute(
      ["download", "12/app", "--to", "out"],
      { runs: [runWith()], payload },
      { files },
    );
    expect(inside.command.files.get("out/app")).toEqual(payload);
  });

  it.each([
    [{ form: "tar" as const, path: "dist/" }, "app.tar"],
    [{ form: "image_ref" as const, path: null }, "app.json"],
    [{ form: "file" as const, path: "../../etc/passwd" }, "passwd"],
    [{ form: "file" as const, path: ".." }, "artifact"],
  ])("names what it saves by what it is: %o", async (metadata, name) => {
    const { command } = await execute(["download", "12/app"], { runs: [runWith({ metadata })], payload });
    expect([...command.files.keys()]).toEqual([name]);
  });

  it("writes bytes only to a stdout that is no terminal", async () => {
    const piped = await execute(["download", "12/app", "--to", "-"], { runs: [runWith()], payload });
    expect(piped.stdout).toBe("payload");
    const shown = await execute(
      ["download", "12/app", "--to", "-"],
      { runs: [runWith()] },
      { stdout: { isTTY: true } },
    );
    expect(shown.code).toBe(2);
    expect(shown.command.opened).toEqual([]);
  });

  it("keeps nothing of wrong bytes", async () => {
    const client = { runs: [runWith()], payload: Buffer.from("paylord") };
    const { code, stderr, command } = await execute(["download", "12/app"], client);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "error: The received bytes do not match the digest of artifact app.\n  Download it again.",
    );
    expect(command.files.size).toBe(0);
  });

  it("replaces a file only when told to", async () => {
    const files = new Map([["app", "mine"]]);
    const refused = await execute(["download", "12/app"], { runs: [runWith()], payload }, { files });
    expect(refused.code).toBe(2);
    expect(refused.command.files.get("app")).toBe("mine");
    const forced = await execute(
      ["download", "12/app", "--force"],
      { runs: [runWith()], payload },
      { files },
    );
    expect(forced.code).toBe(0);
    expect(forced.command.files.get("app")).toEqual(payload);
  });
});
