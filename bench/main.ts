/** Runs every benchmark; `--short` for a quick look, names to choose: `npm run bench -- steps cli`. */
import { benchArtifacts } from "./artifacts.ts";
import { benchCli } from "./cli.ts";
import { benchCompletions } from "./completions.ts";
import { benchDeploys } from "./deploys.ts";
import type { Outcome } from "./harness.ts";
import { benchLists } from "./lists.ts";
import { benchLogs } from "./logs.ts";
import { benchReaders } from "./readers.ts";
import { benchRecovery } from "./recovery.ts";
import { benchRuns } from "./runs.ts";
import { benchService } from "./service.ts";
import { benchSteps } from "./steps.ts";
import { benchTransfers } from "./transfers.ts";
import { benchUploads } from "./uploads.ts";

const suites: Record<string, (rounds: number) => Promise<Outcome[]>> = {
  steps: benchSteps,
  cli: benchCli,
  logs: benchLogs,
  artifacts: benchArtifacts,
  completions: benchCompletions,
  service: benchService,
  runs: benchRuns,
  deploys: benchDeploys,
  transfers: benchTransfers,
  uploads: benchUploads,
  readers: benchReaders,
  lists: benchLists,
  recovery: benchRecovery,
};

const words = process.argv.slice(2);
const rounds = words.includes("--short") ? 3 : 11;
const names = words.filter((word) => !word.startsWith("--"));
const outcomes: Outcome[] = [];
for (const name of names.length === 0 ? Object.keys(suites) : names) {
  const suite = suites[name];
  if (suite === undefined)
    throw new Error(`there is no benchmark ${name}; there are: ${Object.keys(suites).join(", ")}`);
  outcomes.push(...(await suite(rounds)));
}
const held = outcomes.reduce((sum, outcome) => sum + outcome.held, 0);
const missed = outcomes.reduce((sum, outcome) => sum + outcome.missed, 0);
console.log(`\n${held} limits held, ${missed} missed`);
// Other work on the machine moves figures, so only who asks for it is failed by one.
if (words.includes("--strict") && missed > 0) process.exitCode = 1;
// Every suite has disposed of what it made; a connection of a peer that never answers would keep the process.
process.exit();
