/** Where the server's settings come from: a YAML file, and over it the variables. Each value remembers its source. */
import { dirname, resolve } from "node:path";
import { quoted } from "./faults.ts";
import { nearest } from "./nearest.ts";
import { locate } from "./render-problems.ts";
import { settings, variableOf } from "./server-settings.ts";
import { decodeSource } from "./source-text.ts";
import { readYaml } from "./yaml-read.ts";
import { entriesAt, type MapEntry, type YamlNode } from "./yaml-tree.ts";

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

export interface ConfigFile {
  readonly path: string;
  readonly text: string | Uint8Array;
}

type Setting = (typeof settings)[keyof typeof settings];
const all: readonly Setting[] = Object.values(settings);

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
  const byVariable = new Map(all.map((setting) => [variableOf(setting), setting.key]));
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

/** The file's values by key. A file without any content sets nothing. */
export function fromFile(
  file: ConfigFile,
  cwd: string,
  problems: SourceProblem[],
): ReadonlyMap<string, Given> {
  const given = new Map<string, Given>();
  const { text, fault } = decodeSource(file.text);
  const yaml = fault === null ? readYaml(text) : null;
  if (fault === null && /^(?:\s|#.*|---)*$/.test(text)) return given;
  const place = (start: number): string => {
    const [at] = locate(file.path, text, [
      { start, end: start + 1, message: "", suggestion: null, remedy: null },
    ]);
    return `${file.path}:${at?.line ?? 1}:${at?.column ?? 1}`;
  };
  for (const { start, message, suggestion } of fault === null ? (yaml?.faults.list() ?? []) : [fault])
    problems.push({ source: place(start), message, suggestion });
  const root = yaml?.root;
  if (root === null || root === undefined) return given;
  if (root.kind !== "map") {
    problems.push({
      source: place(root.start),
      message: "the file must be a mapping of settings",
      suggestion: null,
    });
    return given;
  }
  const base = dirname(resolve(cwd, file.path));
  visit(root, "");
  return given;

  function visit(node: YamlNode, prefix: string): void {
    for (const [name, entry] of entriesAt(node))
      visitEntry(prefix === "" ? name : `${prefix}.${name}`, entry);
  }

  function visitEntry(key: string, { key: at, value }: MapEntry): void {
    const setting = all.find((one) => one.key === key);
    if (setting !== undefined) {
      const read = scalarText(value, setting.form);
      if (read.kind === "text") given.set(key, { text: read.text, source: place(value.start), base });
      else problems.push({ source: place(value.start), message: `${key} ${read.message}`, suggestion: null });
    } else if (all.some((one) => one.key.startsWith(`${key}.`))) {
      if (value.kind === "map") visit(value, key);
      else
        problems.push({ source: place(value.start), message: `${key} must be a mapping`, suggestion: null });
    } else {
      const holder = key.split(".").slice(0, -1).join(".");
      const known = siblings(holder);
      problems.push({
        source: place(at.start),
        message: `unknown key ${quoted(key)}; known here: ${known.join(", ")}`,
        suggestion: nearest(key.split(".").at(-1) ?? key, known),
      });
    }
  }
}

function scalarText(
  node: YamlNode,
  form: "scalar" | "list",
): { kind: "text"; text: string } | { kind: "wrong"; message: string } {
  if (form === "list" && node.kind === "list") {
    const texts = node.items.flatMap((item) =>
      item.kind === "scalar" && item.value !== null ? [String(item.value)] : [],
    );
    return texts.length === node.items.length && texts.length > 0
      ? { kind: "text", text: texts.join(",") }
      : { kind: "wrong", message: "must be a list of texts" };
  }
  if (node.kind !== "scalar")
    return {
      kind: "wrong",
      message: `must be a single value, not a ${node.kind === "list" ? "list" : "mapping"}`,
    };
  if (node.value === null) return { kind: "wrong", message: "is empty" };
  return { kind: "text", text: typeof node.value === "string" ? node.value : node.source };
}

/** The names that may stand in the mapping of that key. */
function siblings(holder: string): readonly string[] {
  const prefix = holder === "" ? "" : `${holder}.`;
  const names = all
    .filter(({ key }) => key.startsWith(prefix))
    .map(({ key }) => key.slice(prefix.length).split(".")[0] ?? "");
  return [...new Set(names)];
}
