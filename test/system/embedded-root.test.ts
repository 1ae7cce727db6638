import { chmodSync, chownSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import {
  isRoot,
  layoutOf,
  newDirectory,
  ordinaryAccount,
  startHolder,
  usedDirectory,
} from "../e2e/postgres/processes.ts";
import { refusal } from "../e2e/postgres/refusal.ts";

describe("as root", () => {
  beforeEach((context) => {
    context.skip(!isRoot, "only root can stage this");
  });

  it("root is told when the account does not exist", async () => {
    const problem = await refusal(await newDirectory(), { user: "no-such-account" });
    expect(problem.code).toBe("environment");
    expect(problem.remedy).toContain("SHIPINATOR_EMBEDDED_USER");
  });

  it("root is told that Postgres does not run as root", async () => {
    expect((await refusal(await newDirectory(), { user: "root" })).message).toContain(
      "refuses to run as root",
    );
  });

  it("root is told when the database belongs to another account than the one named", async () => {
    const directory = await usedDirectory();
    chownSync(layoutOf(directory).data, 12345, 12345);
    const problem = await refusal(directory, { user: "nobody" });
    expect(problem.message).toContain("belongs to uid 12345");
  });

  it("root does not work in a directory of somebody else's", async () => {
    const directory = await newDirectory();
    chownSync(directory, 12345, 12345);
    expect((await refusal(directory)).message).toContain("belongs to uid 12345");
  });

  it("root is told which directory its account cannot pass", async () => {
    const parent = await newDirectory();
    chmodSync(parent, 0o700);
    const problem = await refusal(join(parent, "data"));
    expect(problem.message).toContain(`may not pass through ${parent}`);
    expect(problem.remedy).toContain(`chmod o+x ${parent}`);
  });

  it("a user who has no account is told so", async () => {
    if (ordinaryAccount() === undefined) return;
    const directory = await newDirectory();
    chownSync(directory, 12345, 12345);
    const holder = startHolder(directory, { as: { uid: 12345, gid: 12345 } });
    const { problem } = await holder.answer();
    expect(problem).toMatchObject({ code: "environment" });
    expect(problem?.message).toContain("uid 12345 has no entry in /etc/passwd");
  });

  it("a user is told that the database is another's", async () => {
    const account = ordinaryAccount();
    if (account === undefined) return;
    const holder = startHolder(await usedDirectory(), { as: account });
    expect((await holder.answer()).problem).toMatchObject({ code: "data_dir_unusable" });
  });
});
