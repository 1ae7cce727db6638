/**
 * A process that uses a data directory, steered line by line: `row` inserts one and tells the count, `stop` leaves, the
 * end of the input too. Answers are lines of JSON.
 */
import { createInterface } from "node:readline";
import { Problem, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { startEmbeddedPostgres } from "../../../src/postgres/index.ts";
import { openDatabase } from "../../../src/store/index.ts";
import { thisProcess } from "../../support/postgres-server.ts";

const say = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const [dataDir = "", user] = process.argv.slice(2);

try {
  const server = await startEmbeddedPostgres({
    dataDir,
    ...(user === undefined ? {} : { user }),
    environment: thisProcess(),
    clock: systemClock,
    log: silentLogger,
  });
  const database = openDatabase(server.connection, { max: 1, applicationName: "holder", log: silentLogger });
  say({ ready: server.facts });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "stop") break;
    say({ rows: await addRow() });
  }
  await database.close();
  await server.stop();
  say({ stopped: true });

  async function addRow(): Promise<number> {
    await database.execute("create table if not exists kept (at timestamptz not null default now())");
    await database.execute("insert into kept default values");
    const [row] = await database.query<{ count: number }>("select count(*) as count from kept");
    return row?.count ?? 0;
  }
} catch (error) {
  const { code, message, remedy, place } = Problem.from(error);
  say({ problem: { code, message, remedy, place } });
  process.exitCode = 3;
}
