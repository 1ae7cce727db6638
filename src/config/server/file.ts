/** The server's settings in a YAML file. */
import { dirname } from "node:path";
import { quoted } from "../yaml/faults.ts";
import { nearest } from "../yaml/nearest.ts";
import { readYaml } from "../yaml/read.ts";
import { locate } from "../yaml/render-problems.ts";
import { decodeSource } from "../yaml/source-text.ts";
import { entriesAt, type MapEntry, type YamlNode } from "../yaml/tree.ts";
import { settings } from "./settings.ts";
import type { FileSettings, SettingValue, SourceProblem } from "./sources.ts";

export interface ServerFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string | Uint8Array;
}

const all: readonly (typeof settings)[keyof typeof settings][] = Object.values(settings);

/** Reads the settings of a file. A file without content sets nothing. */
export function readServerFile(file: ServerFile): FileSettings {
  const values = new Map<string, SettingValue>();
  const problems: SourceProblem[] = [];
  const { text, fault } = decodeSource(file.text);
  const yaml = fault === null ? readYaml(text) : null;
  if (fault === null && /^(?:\s|#.*|---)*$/.test(text)) return { values, problems };
  const place = (start: number): string => {
    const [at] = locate(file.path, text, [
      { start, end: start + 1, message: "", suggestion: null, remedy: null },
    ]);
    return `${file.path}:${at?.line ?? 1}:${at?.column ?? 1}`;
  };
  for (const { start, message, suggestion } of fault === null ? (yaml?.faults.list() ?? []) : [fault])
    problems.push({ source: place(start), message, suggestion });
  const root = yaml?.root;
  if (root === null || root === undefined) return { values, problems };
  if (root.kind !== "map") {
    problems.push({
      source: place(root.start),
      message: "The file must be a mapping of settings.",
      suggestion: null,
    });
    return { values, problems };
  }
  const base = dirname(file.path);
  visit(root, "");
  return { values, problems };

  function visit(node: YamlNode, prefix: string): void {
    for (const [name, entry] of entriesAt(node))
      visitEntry(prefix === "" ? name : `${prefix}.${name}`, entry);
  }

  function visitEntry(key: string, { key: at, value }: MapEntry): void {
    const setting = all.find((one) => one.key === key);
    if (setting !== undefined) {
      const read = scalarText(value, setting.form);
      if (read.kind === "text") values.set(key, { text: read.text, source: place(value.start), base });
      else
        problems.push({ source: place(value.start), message: `${key} ${read.message}.`, suggestion: null });
    } else if (all.some((one) => one.key.startsWith(`${key}.`))) {
      if (value.kind === "map") visit(value, key);
      else
        problems.push({ source: place(value.start), message: `${key} must be a mapping.`, suggestion: null });
    } else {
      const parent = key.split(".").slice(0, -1).join(".");
      const known = siblings(parent);
      problems.push({
        source: place(at.start),
        message: `Unknown key ${quoted(key)}. Known here: ${known.join(", ")}.`,
        suggestion: nearest(key.split(".").at(-1) ?? key, known),
      });
    }
  }
}

function scalarText(
  node: YamlNode,
  form: "scalar" | "list",
): { kind: "text"; text: string } | { kind: "invalid"; message: string } {
  if (form === "list" && node.kind === "list") {
    const texts = node.items.flatMap((item) =>
      item.kind === "scalar" && item.value !== null ? [String(item.value)] : [],
    );
    return texts.length === node.items.length && texts.length > 0
      ? { kind: "text", text: texts.join(",") }
      : { kind: "invalid", message: "must be a list of texts" };
  }
  if (node.kind !== "scalar")
    return {
      kind: "invalid",
      message: `must be a single value, not a ${node.kind === "list" ? "list" : "mapping"}`,
    };
  if (node.value === null) return { kind: "invalid", message: "is empty" };
  return { kind: "text", text: typeof node.value === "string" ? node.value : node.source };
}

/** The names that the mapping at this key may contain. */
function siblings(parent: string): readonly string[] {
  const prefix = parent === "" ? "" : `${parent}.`;
  const names = all
    .filter(({ key }) => key.startsWith(prefix))
    .map(({ key }) => key.slice(prefix.length).split(".")[0] ?? "");
  return [...new Set(names)];
}
