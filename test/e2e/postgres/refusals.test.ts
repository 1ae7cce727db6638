import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { socketDirectory } from "../../../src/postgres/socket-directory.ts";
import { isRoot, layoutOf, newDirectory, serverOf, startHere, usedDirectory } from "./processes.ts";
import { refusal } from "./refusal.ts";

describe("a data directory that cannot be used", () => {
  it("a file, or below a file", async () => {
    const file = join(await newDirectory(), "file");
    writeFileSync(file, "");
    for (const path of [file, join(file, "below")]) {
      const problem = await refusal(path);
      expect(problem.code).toBe("data_dir_unusable");
      expect(problem.message).toContain("is a file, not a directory");
    }
  });

  it.each(["relative/path", "/tmp/two\nlines"])("named %j", async (path) => {
    expect((await refusal(path)).message).toContain("absolute path without line breaks");
  });

  it("where this user has no rights", async () => {
    const parent = await newDirectory();
    chmodSync(parent, 0o555);
    // Root has rights everywhere but in the kernel's own file systems.
    const problem = await refusal(isRoot ? "/proc/self/shipinator" : join(parent, "data"));
    expect(problem.code).toBe("data_dir_unusable");
    chmodSync(parent, 0o755);
  });

  it("to which everybody may write", async () => {
    const directory = await newDirectory();
    chmodSync(directory, 0o777);
    expect((await refusal(directory)).remedy).toContain("chmod o-w");
  });

  it("whose database is a link to somewhere else", async () => {
    const directory = await newDirectory();
    symlinkSync(await newDirectory(), join(directory, "postgres"));
    expect((await refusal(directory)).message).toContain("is not a directory");
  });

  it.each(["17", "19"])("whose database is of Postgres %s", async (major) => {
    const directory = await usedDirectory();
    writeFileSync(join(layoutOf(directory).data, "PG_VERSION"), `${major}\n`);
    const problem = await refusal(directory);
    expect(problem.code).toBe("data_dir_unusable");
    expect(problem.message).toContain(`made by Postgres ${major}, and this program brings 18`);
    expect(problem.remedy).toContain("back up");
  });

  it("whose database is damaged: the server's own words, and its log", async () => {
    const directory = await usedDirectory();
    const { data, logFile } = layoutOf(directory);
    renameSync(join(data, "global/pg_control"), join(data, "global/pg_control.gone"));
    const problem = await refusal(directory);
    expect(problem.code).toBe("database_unavailable");
    expect(problem.message).toContain("pg_control");
    expect(problem.place).toBe(logFile);
    expect(serverOf(directory)).toBeUndefined();
  });

  it("whose password was lost or replaced", async () => {
    const directory = await usedDirectory();
    const password = join(layoutOf(directory).data, "password");
    const kept = readFileSync(password);
    writeFileSync(password, "another one\n");
    expect((await refusal(directory)).message).toContain("password authentication failed");
    expect(serverOf(directory)).toBeUndefined();
    writeFileSync(password, kept);
    const server = await startHere(directory);
    expect(server.facts.started).toBe(true);
    await server.stop();
    expect(serverOf(directory)).toBeUndefined();
  });
});

describe("the socket's directory in /tmp", () => {
  it.each(["a link", "open to others", "a file"])(
    "is refused when somebody was there first: %s",
    async (what) => {
      const directory = join(await newDirectory(), "a".repeat(100));
      const layout = layoutOf(directory);
      const uid = isRoot ? accountOfRoot() : (process.getuid?.() ?? -1);
      const place = socketDirectory(layout, { name: "", uid, gid: uid, identity: {} });
      expect(place).toMatch(/^\/tmp\/shipinator-\d+-[0-9a-f]{16}$/);
      if (what === "a link") symlinkSync(await newDirectory(), place);
      if (what === "a file") writeFileSync(place, "");
      if (what === "open to others") mkdirSync(place, { mode: 0o755 });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => rmSync(place, { recursive: true, force: true }));
      const problem = await refusal(directory);
      expect(problem.code).toBe("environment");
      expect(problem.message).toContain("somebody else could stand in for the database");
      expect(problem.remedy).toContain(place);
    },
  );
});

/** The account that the server picks for root. */
function accountOfRoot(): number {
  const passwd = readFileSync("/etc/passwd", "utf8");
  const line = /^postgres:.*$/m.exec(passwd) ?? /^nobody:.*$/m.exec(passwd);
  return Number(line?.[0].split(":")[2]);
}
