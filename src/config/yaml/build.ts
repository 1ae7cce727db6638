/**
 * Converts the parser's nodes into a tree and reports invalid keys, tags, anchors and aliases. No message repeats a value,
 * an alias or a tag, because a password can begin with `*` or `!`.
 */
import { isAlias, isCollection, isMap, isScalar, isSeq, type Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import { type Faults, quoted, type Span } from "./faults.ts";
import { Lines } from "./lines.ts";
import type { ListNode, MapEntry, ScalarNode, YamlNode } from "./tree.ts";

/** Limits that a handwritten file never reaches, and an alias bomb exceeds. */
const maxAliases = 100;
const maxExpandedSize = 50_000;

const plainTags: readonly unknown[] = [undefined, "tag:yaml.org,2002:str"];

interface Build {
  readonly text: string;
  readonly lines: Lines;
  readonly faults: Faults;
  /** Null while the anchored value is being built. */
  readonly anchors: Map<string, YamlNode | null>;
  aliases: number;
}

export function buildTree(contents: unknown, text: string, faults: Faults): YamlNode {
  const build: Build = { text, lines: new Lines(text), faults, anchors: new Map(), aliases: 0 };
  const root = buildNode(build, contents, { start: 0, end: 1 });
  if (root.size > maxExpandedSize)
    faults.add(root, `The aliases of this file expand to more than ${maxExpandedSize} values.`, {
      remedy: "Write the values out, or use `defaults`.",
    });
  return root.size > maxExpandedSize ? emptyAt(root) : root;
}

/** @param fallback place of an absent value: its key */
function buildNode(build: Build, node: unknown, fallback: Span): YamlNode {
  if (isAlias(node)) return buildAlias(build, node.source, spanOf(node, fallback));
  const anchor = isScalar(node) || isCollection(node) ? node.anchor : undefined;
  if (anchor !== undefined) build.anchors.set(anchor, null);
  const built = buildValue(build, node, fallback);
  if (anchor !== undefined) build.anchors.set(anchor, built);
  return built;
}

function buildValue(build: Build, node: unknown, fallback: Span): YamlNode {
  const span = spanOf(node, fallback);
  if ((isScalar(node) || isCollection(node)) && !plainTags.includes(node.tag))
    build.faults.add(span, "YAML tags are not supported.", {
      remedy: "Remove the tag.",
    });
  if (isScalar(node)) return buildScalar(build, node, span);
  if (isSeq(node)) return buildList(build, node, span);
  if (isMap(node)) return buildMap(build, node, span);
  return emptyAt(span);
}

function buildScalar(build: Build, node: Scalar, span: Span): ScalarNode {
  const source = node.source ?? "";
  const at = span.start < span.end ? span : { start: span.start, end: span.start + 1 };
  const { value } = node;
  if (typeof value === "string" && value.includes("\0"))
    build.faults.add(at, "The value contains a NUL character, which cannot be passed to a process.");
  if (typeof value === "string" && !value.isWellFormed())
    build.faults.add(at, "The value contains half of a surrogate pair, which cannot be stored.", {
      remedy: "Write the character itself, or both halves.",
    });
  const plain =
    value === null || typeof value === "string" || typeof value === "boolean"
      ? value
      : typeof value === "number" && Number.isFinite(value)
        ? value
        : source;
  return { kind: "scalar", value: plain, source, size: 1, ...at };
}

function buildList(build: Build, node: YAMLSeq, span: Span): ListNode {
  const first = { start: span.start, end: span.start + 1 };
  const items = node.items.map((item) => buildNode(build, item, first));
  return { kind: "list", items, size: sum(items), ...first };
}

function buildMap(build: Build, node: YAMLMap, span: Span): YamlNode {
  if (build.text.startsWith("{{", span.start)) {
    const at = { start: span.start, end: span.start + 2 };
    build.faults.add(at, "A value that begins with `{{` is read as a mapping.", {
      remedy: "Put the whole value in quotes.",
    });
    return emptyAt(at);
  }
  const entries = new Map<string, MapEntry>();
  let first: Span | undefined;
  for (const pair of node.items) {
    const key = spanOf(pair.key, { start: span.start, end: span.start + 1 });
    first ??= key;
    const value = buildNode(build, pair.value, key);
    const name = keyName(build, pair.key, key);
    if (name === null) continue;
    const earlier = entries.get(name);
    if (earlier === undefined) entries.set(name, { key, value });
    else
      build.faults.add(
        key,
        `The key ${quoted(name)} is repeated. It first appears in line ${lineOf(build, earlier.key)}.`,
      );
  }
  const children = [...entries.values()].map((entry) => entry.value);
  // A flow mapping is marked at its brace, a block mapping at its first key.
  const at = build.text[span.start] === "{" ? { start: span.start, end: span.start + 1 } : (first ?? span);
  return { kind: "map", entries, size: sum(children), start: at.start, end: Math.max(at.end, at.start + 1) };
}

/** Returns the key's text, or adds a fault and returns null when the key is not allowed. */
function keyName(build: Build, key: unknown, at: Span): string | null {
  if (!isScalar(key) || typeof key.value !== "string") {
    build.faults.add(at, "This key is not text.", { remedy: "Put the key in quotes to make it text." });
    return null;
  }
  if (key.value === "<<") {
    build.faults.add(at, "Merge keys (`<<`) are not part of YAML 1.2 and are not supported.", {
      remedy: "Use `defaults`, or write the keys out.",
    });
    return null;
  }
  if (key.value === "__proto__") {
    build.faults.add(at, "The key `__proto__` is not allowed.");
    return null;
  }
  return key.value;
}

function buildAlias(build: Build, name: string, at: Span): YamlNode {
  build.aliases += 1;
  const target = build.anchors.get(name);
  if (build.aliases > maxAliases) {
    if (build.aliases === maxAliases + 1)
      build.faults.add(at, `The file has more than ${maxAliases} aliases.`, {
        remedy: "Write the values out.",
      });
    return emptyAt(at);
  }
  if (target === undefined) build.faults.add(at, "This alias has no anchor before it.");
  if (target === null) build.faults.add(at, "This alias is inside its own anchor.");
  return target ?? emptyAt(at);
}

function spanOf(node: unknown, fallback: Span): Span {
  if (!isScalar(node) && !isCollection(node) && !isAlias(node)) return fallback;
  const range = node.range;
  if (!range || range[0] === range[1]) return fallback;
  return { start: range[0], end: range[1] };
}

function emptyAt({ start, end }: Span): ScalarNode {
  return { kind: "scalar", value: null, source: "", size: 1, start, end };
}

const sum = (nodes: readonly YamlNode[]): number => nodes.reduce((total, node) => total + node.size, 1);

function lineOf(build: Build, { start }: Span): number {
  return build.lines.at(start).line;
}
