/** Where the server's settings come from: a YAML file, and over it the variables. Each value remembers its source. */
import { nearest } from "../yaml/nearest.ts";
import { settings, variableOf } from "./settings.ts";

export interface Given {
  readonly text: string;
  /** `file:line:column` or the variable's name. */
  readonly source: string;
  /** Directory that a relative path is relative to. */
  readonly base: string;
}

export interface SourceProblem {
  readonly source: string;
  readonly message: string;
  readonly suggestion: string | null;
}

/** What a file sets, by key, and what is wrong with it. */
export interface FileSettings {
  readonly given: ReadonlyMap<string, Given>;
  readonly problems: readonly SourceProblem[];
}

/** Set for steps, or for the command itself: a step may run Shipinator, so these are no mistakes. */
const tolerated: ReadonlySet<string> = new Set(
  [
    ...[
      "COMMIT",
      "SHORT_COMMIT",
      "REF",
      "BRANCH",
      "TAG",
      "RUN_ID",
      "RUN_NUMBER",
      "PIPELINE",
      "ARTIFACTS_DIR",
    ],
    ...["ARTIFACT", "TARGET", "NAMESPACE", "RELEASE", "STEP", "JOB", "EXECUTION_ID", "LANE"],
    ...["CONFIG", "SERVER", "TOKEN"],
  ].map((name) => `SHIPINATOR_${name}`),
);

/** Variables by key. An empty variable counts as not set. */
export function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
  problems: SourceProblem[],
): ReadonlyMap<string, Given> {
  const given = new Map<string, Given>();
  const byVariable = new Map(Object.values(settings).map((setting) => [variableOf(setting), setting.key]));
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith("SHIPINATOR_") || text === undefined) continue;
    const key = byVariable.get(name);
    if (key !== undefined) {
      if (text !== "") given.set(key, { text, source: name, base: cwd });
    } else if (!tolerated.has(name) && !isServiceLink(name, environment))
      problems.push({
        source: name,
        message: "is no variable of Shipinator, so it would be ignored",
        suggestion: nearest(name, byVariable.keys()),
      });
  }
  return given;
}

/** In a pod, Kubernetes sets variables for every Service of the namespace: `<NAME>_SERVICE_HOST`, `<NAME>_PORT_…`. */
function isServiceLink(name: string, environment: Readonly<Record<string, string | undefined>>): boolean {
  const match =
    /^(.+?)_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/.exec(
      name,
    );
  return match?.[1] !== undefined && environment[`${match[1]}_SERVICE_HOST`] !== undefined;
}
