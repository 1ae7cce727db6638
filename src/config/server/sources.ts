/** Sources of the server's settings: a YAML file and variables, which override it. Each value keeps its source. */
import { nearest } from "../yaml/nearest.ts";
import { settings, variableOf } from "./settings.ts";

export interface SettingValue {
  readonly text: string;
  /** `file:line:column`, or the variable's name. */
  readonly source: string;
  /** Directory to which a relative path is relative. */
  readonly base: string;
}

export interface SourceProblem {
  readonly source: string;
  readonly message: string;
  readonly suggestion: string | null;
}

/** Values that a file sets, by key, and its faults. */
export interface FileSettings {
  readonly values: ReadonlyMap<string, SettingValue>;
  readonly problems: readonly SourceProblem[];
}

/** Variables that Shipinator sets for steps or reads for its commands. A step may run Shipinator, so they are allowed. */
const otherVariables: ReadonlySet<string> = new Set(
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
    ...["ARTIFACT", "TARGET", "NAMESPACE", "RELEASE", "STEP", "JOB", "EXECUTION_ID", "WORKER"],
    ...["CONFIG", "SERVER", "TOKEN"],
  ].map((name) => `SHIPINATOR_${name}`),
);

/** Reads settings from variables, by key. An empty variable counts as not set. */
export function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
  problems: SourceProblem[],
): ReadonlyMap<string, SettingValue> {
  const values = new Map<string, SettingValue>();
  const byVariable = new Map(Object.values(settings).map((setting) => [variableOf(setting), setting.key]));
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith("SHIPINATOR_") || text === undefined) continue;
    const key = byVariable.get(name);
    if (key !== undefined) {
      if (text !== "") values.set(key, { text, source: name, base: cwd });
    } else if (!otherVariables.has(name) && !isServiceLink(name, environment))
      problems.push({
        source: name,
        message: "This variable is unknown and would be ignored.",
        suggestion: nearest(name, byVariable.keys()),
      });
  }
  return values;
}

/** Detects variables that Kubernetes sets in a pod for each Service: `<NAME>_SERVICE_HOST`, `<NAME>_PORT_…`. */
function isServiceLink(name: string, environment: Readonly<Record<string, string | undefined>>): boolean {
  const match =
    /^(.+?)_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/.exec(
      name,
    );
  return match?.[1] !== undefined && environment[`${match[1]}_SERVICE_HOST`] !== undefined;
}
