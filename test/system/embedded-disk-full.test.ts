/** A disk without space, as a small tmpfs: needs root and the right to mount. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger, systemClock } from "../../src/kernel/index.ts";
import { startEmbeddedPostgres } from "../../src/postgres/index.ts";
import { openDatabase } from "../../src/store/index.ts";
import { eventually } from "../support/eventually.ts";
import { thisProcess } from "../support/postgres-server.ts";
import { processesOf } from "../support/world-processes.ts";

let disk: string;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), "shipinator-disk-"));
});

afterEach(() => {
  execFileSync("umount", [disk]);
  rmdirSync(disk);
});

const mount = (size: string) =>
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=711`, "tmpfs", disk]);
const start = () =>
  startEmbeddedPostgres({ dataDir: disk, environment: thisProcess(), clock: systemClock, log: silentLogger });

/** Takes what is left of the disk. */
function fill(): void {
  try {
    for (let count = 0; ; count++) writeFileSync(join(disk, `ballast-${count}`), Buffer.alloc(64 * 1024));
  } catch {
    // Full, as it should be.
  }
}

describe("the embedded Postgres on a full disk", () => {
  it.each(["64k", "20m"])(
    "of %s says so instead of making a database, and leaves nothing behind",
    async (size) => {
      mount(size);
      await expect(start()).rejects.toMatchObject({
        code: "data_dir_unusable",
        message: expect.stringContaining("its disk is full"),
      });
      expect(execFileSync("sh", ["-c", `ls ${disk}/postgres`], { encoding: "utf8" })).toBe("");
    },
  );

  it.each(["32m", "36m", "38m", "40m", "42m", "44m"])(
    "of %s runs or says so, and no server is left that nobody is counted on",
    async (size) => {
      mount(size);
      const server = await start().catch((error: unknown) => {
        expect(error).toMatchObject({ message: expect.stringMatching(/disk (of the database )?is full/) });
        return null;
      });
      await server?.stop();
      // Of a server that could not start, its own children go after it.
      await eventually(() => expect(processesOf(disk)).toEqual([]));
    },
  );

  it("that filled up later refuses the change, keeps what was there, and works again with space", async () => {
    mount("80m");
    {
      await using server = await start();
      await using database = openDatabase(server.connection, {
        max: 1,
        applicationName: "test",
        log: silentLogger,
      });
      await database.execute("create table kept (text text)");
      await database.execute("insert into kept values ('before')");
      fill();
      const grow = database.execute(
        "insert into kept select repeat('x', 1000) from generate_series(1, 200000)",
      );
      await expect(grow).rejects.toMatchObject({
        code: expect.stringMatching(/^(storage_failed|database_unavailable)$/),
      });
    }
    execFileSync("sh", ["-c", `rm -f ${disk}/ballast-*`]);
    await using server = await start();
    await using database = openDatabase(server.connection, {
      max: 1,
      applicationName: "test",
      log: silentLogger,
    });
    expect(await database.query("select text from kept")).toEqual([{ text: "before" }]);
    expect(readFileSync(join(disk, "postgres/data/PG_VERSION"), "utf8")).toBe("18\n");
  });
});
