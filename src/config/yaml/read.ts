/**
 * From text to a tree: one YAML 1.2 document of the core schema, of bounded depth and size, without merge keys, tags and
 * keys that are not text. What does not parse yields syntax faults and no tree; what parses yields the tree and the
 * faults of its form together, so that everything can be told at once.
 */
import { Composer, type CST, type Document, Lexer, Parser } from "yaml";
import { buildTree } from "./build.ts";
import { Faults, type Span } from "./faults.ts";
import type { YamlNode } from "./tree.ts";

/** Deeper nesting would exhaust the stack of the parser, which is recursive. */
const maxDepth = 64;

/** Of a file that is no YAML the first places tell all that can be known. */
const maxSyntaxFaults = 10;

export interface YamlText {
  /** Null where the text is no YAML document; then `faults` says why. */
  readonly root: YamlNode | null;
  readonly faults: Faults;
}

export function readYaml(text: string): YamlText {
  const faults = new Faults();
  const tokens = tokenize(text, faults);
  if (faults.any) return { root: null, faults };
  const composer = new Composer({
    prettyErrors: false,
    uniqueKeys: false,
    merge: false,
    version: "1.2",
    schema: "core",
    logLevel: "error",
  });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (second !== undefined) {
    const start = second.contents?.range?.[0] ?? second.range?.[0] ?? 0;
    faults.add({ start, end: start + 1 }, "a second document begins here, and the file may hold only one", {
      remedy: "Remove it together with the `---` before it.",
    });
    return { root: null, faults };
  }
  if (document === undefined || !parses(document, text, faults)) return { root: null, faults };
  if (document.contents === null) {
    faults.add({ start: 0, end: 1 }, "the file is empty");
    return { root: null, faults };
  }
  const root = buildTree(document.contents, text, faults);
  return { root, faults };
}

/** Lexes and parses, and stops where the nesting is too deep to be composed. */
function tokenize(text: string, faults: Faults): CST.Token[] {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > maxDepth) {
      faults.add(
        { start: parser.offset, end: parser.offset + 1 },
        `the nesting is more than ${maxDepth} levels deep`,
      );
      return [];
    }
  }
  tokens.push(...parser.end());
  return tokens;
}

function parses(document: Document.Parsed, text: string, faults: Faults): boolean {
  const { explicit, version } = document.directives.yaml;
  if (explicit && version !== "1.2") {
    const start = Math.max(0, text.indexOf("%YAML"));
    faults.add({ start, end: start + 5 }, `the file asks for YAML ${version}, and only 1.2 is read`, {
      remedy: "Remove the %YAML line.",
    });
    return false;
  }
  // One tab makes the parser lose its footing: what it says of the rest is noise.
  const tabs = document.errors.filter((error) => error.code === "TAB_AS_INDENT");
  for (const error of (tabs.length > 0 ? tabs : document.errors).slice(0, maxSyntaxFaults)) {
    const [start, end] = error.pos;
    const [message, remedy] = explain(error.code, error.message);
    faults.add(syntaxSpan(text, { start, end }), message, { remedy });
  }
  return document.errors.length === 0;
}

/** An error behind the last character is shown at it. */
function syntaxSpan(text: string, { start, end }: Span): Span {
  const at = Math.min(start, Math.max(0, text.trimEnd().length - 1));
  return { start: at, end: Math.max(end, at + 1) };
}

function explain(code: string, message: string): [message: string, remedy: string | null] {
  switch (code) {
    case "TAB_AS_INDENT":
      return ["a tab in the indentation, where YAML allows only spaces", "Replace the tab by spaces."];
    case "BLOCK_AS_IMPLICIT_KEY":
      return [
        "a value on this line holds a second `: `, which would begin a nested mapping",
        "Put the value in quotes, or begin it with `|` on a line of its own.",
      ];
    case "BAD_DQ_ESCAPE":
      return [
        "a backslash in double quotes begins no sequence that YAML knows",
        "Write the backslash twice, or put the value in single quotes.",
      ];
    default: {
      // Behind a colon the parser repeats what it found, which may be a password.
      const fact = message.replace(/(?<=\w): .*$/s, "");
      return [`this is not YAML: ${fact.charAt(0).toLowerCase()}${fact.slice(1)}`, null];
    }
  }
}
