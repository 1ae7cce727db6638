// Prints the schema that the migrations make, from a database made for it: embedded, or where SHIPINATOR_TEST_DB_* says.
import { randomBytes } from "node:crypto";
import { silentLogger } from "../../src/kernel/index.ts";
import { migrate, openDatabase } from "../../src/store/index.ts";
import { describeSchema } from "../../test/pg/schema-description.ts";
import { startTestServer } from "../../test/support/postgres-server.ts";

await using server = await startTestServer(process.env);
const options = { max: 1, applicationName: "schema", log: silentLogger };
await using admin = openDatabase(server.settings, options);
const name = `shipinator_schema_${randomBytes(6).toString("hex")}`;
await admin.execute(`create database ${name}`);
try {
  await using database = openDatabase({ ...server.settings, database: name }, options);
  await migrate(database, { log: silentLogger });
  process.stdout.write(await describeSchema(database));
} finally {
  await admin.execute(`drop database ${name} with (force)`);
}
