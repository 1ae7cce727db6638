/** A YAML document as plain data, with the place of each key and value. */
import type { Span } from "./faults.ts";

interface Node extends Span {
  /** Number of values in it, including itself, with aliases expanded. */
  readonly size: number;
}

export interface ScalarNode extends Node {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** The text in the file without quotes: `1.10` stays `1.10`. */
  readonly source: string;
}

export interface ListNode extends Node {
  readonly kind: "list";
  readonly items: readonly YamlNode[];
}

export interface MapNode extends Node {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  readonly key: Span;
  readonly value: YamlNode;
}

export type YamlNode = ScalarNode | ListNode | MapNode;
export type YamlPath = readonly PropertyKey[];

/** The value at a path, or undefined. */
export function nodeAt(node: YamlNode | undefined, path: YamlPath): YamlNode | undefined {
  let found = node;
  for (const part of path) {
    if (found?.kind === "map") found = found.entries.get(String(part))?.value;
    else if (found?.kind === "list") found = typeof part === "number" ? found.items[part] : undefined;
    else return undefined;
  }
  return found;
}

/** The place of the value at a path; for an absent value, the place of its nearest parent. */
export function spanAt(root: YamlNode, path: YamlPath): Span {
  for (let length = path.length; length > 0; length -= 1) {
    const found = nodeAt(root, path.slice(0, length));
    if (found !== undefined) return found;
  }
  return root;
}

/** The place of the key at the end of a path. */
export function keySpanAt(root: YamlNode, path: YamlPath): Span {
  const holder = nodeAt(root, path.slice(0, -1));
  const entry = holder?.kind === "map" ? holder.entries.get(String(path.at(-1))) : undefined;
  return entry?.key ?? spanAt(root, path);
}

/** The text at a path, or undefined when there is no text. */
export function textAt(node: YamlNode | undefined, ...path: YamlPath): string | undefined {
  const found = nodeAt(node, path);
  return found?.kind === "scalar" && typeof found.value === "string" ? found.value : undefined;
}

export function itemsAt(node: YamlNode | undefined, ...path: YamlPath): readonly YamlNode[] {
  const found = nodeAt(node, path);
  return found?.kind === "list" ? found.items : [];
}

export function entriesAt(node: YamlNode | undefined, ...path: YamlPath): ReadonlyMap<string, MapEntry> {
  const found = nodeAt(node, path);
  return found?.kind === "map" ? found.entries : new Map();
}

/** Converts a tree to plain values for a schema. Objects have no prototype, and the reader rejects `__proto__`. */
export function plainValue(node: YamlNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plainValue);
  const plain: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of node.entries) plain[key] = plainValue(entry.value);
  return plain;
}
