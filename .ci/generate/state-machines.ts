// Prints docs/state-machines.md from the tables in src/domain/model/states.ts.
import {
  finalStatesOf,
  type MachineName,
  machines,
  phaseTransitions,
  runPhases,
  statesOf,
} from "../../src/domain/index.ts";

const titles: Record<MachineName, readonly [title: string, text: string]> = {
  stage: [
    "Step and job",
    "A job is one stage of a run (build, test or deploy); its status follows from its steps. What follows a failure in the same job is `skipped`.",
  ],
  execution: [
    "Execution",
    "One attempt at a step. `lost` says that the executor cannot tell how it ended, or that it proved that nothing began.",
  ],
  run: ["Run", "What a person triggered. Runs say `success` where everything else says `succeeded`."],
};

function diagram(machine: MachineName): string {
  const table: Readonly<Record<string, Readonly<Record<string, string>>>> = machines[machine];
  const [initial = ""] = statesOf(machine);
  const arrows = Object.entries(table).flatMap(([from, events]) =>
    Object.entries(events).map(([event, to]) => `    ${from} --> ${to}: ${event}`),
  );
  const ends = finalStatesOf(machine).map((state) => `    ${state} --> [*]`);
  return ["```mermaid", "stateDiagram-v2", `    [*] --> ${initial}`, ...arrows, ...ends, "```"].join("\n");
}

const sections = Object.entries(titles).map(
  ([machine, [title, text]]) => `## ${title}\n\n${text}\n\n${diagram(machine as MachineName)}\n`,
);
const phases = runPhases.map((phase) => `\`${phase}\``).join(" → ");

process.stdout.write(`# State machines

Generated from the tables in \`src/domain/model/states.ts\` by \`npm run generate\`; the database's triggers refuse exactly what
these tables do not allow, and a test compares the two pair by pair. A final state is never left.

${sections.join("\n")}
## Phase of a run

${phases}

A phase only moves forward (${phaseTransitions().length} pairs are legal); what was not requested or configured is passed over, and the
phase stays where the run ended.
`);
