/** A process of its own that follows a run: prints `SEQ TIME` for each transition. Arguments: settings as JSON, run id. */
import { brandId, type RunId, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { followRun } from "../../../src/services/runs/follow.ts";
import { createChangeFeed, createStore, openDatabase } from "../../../src/store/index.ts";

const [settings, run] = process.argv.slice(2);
const parts = { settings: JSON.parse(settings ?? ""), clock: systemClock, log: silentLogger };
await using database = openDatabase(parts.settings, {
  max: 1,
  applicationName: "follower",
  log: silentLogger,
});
await using changes = createChangeFeed(parts);
const store = createStore(database);
const deps = {
  ...parts,
  database: async () => ({ store, changes }),
  logs: { follow: async function* () {} },
};
const never = new AbortController();
for await (const events of followRun(deps, brandId<RunId>(run ?? ""), 0, never.signal))
  for (const { seq } of events) process.stdout.write(`${seq} ${Date.now()}\n`);
