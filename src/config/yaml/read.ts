/**
 * Parses one YAML 1.2 document of the core schema, with limited depth and size and without merge keys, tags and keys that
 * are not text. A syntax error yields faults and no tree. Otherwise the result is the tree with all faults of its form.
 */
import { Composer, type CST, type Document, Lexer, Parser } from "yaml";
import { buildTree } from "./build.ts";
import { Faults, type Span } from "./faults.ts";
import type { YamlNode } from "./tree.ts";

/** Maximum nesting; the recursive parser would exhaust its stack. */
const maxDepth = 64;

/** Maximum number of syntax errors that are reported. */
const maxSyntaxFaults = 10;

export interface YamlText {
  /** Null when the text is not a YAML document; `faults` has the reason. */
  readonly root: YamlNode | null;
  readonly faults: Faults;
}

export function readYaml(text: string): YamlText {
  const faults = new Faults();
  const tokens = tokenize(text, faults);
  if (!faults.isEmpty) return { root: null, faults };
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
    faults.add({ start, end: start + 1 }, "The file contains a second document, and only one is allowed.", {
      remedy: "Remove it together with the `---` before it.",
    });
    return { root: null, faults };
  }
  if (document === undefined || !checkDocument(document, text, faults)) return { root: null, faults };
  if (document.contents === null) {
    faults.add({ start: 0, end: 1 }, "The file is empty.");
    return { root: null, faults };
  }
  const root = buildTree(document.contents, text, faults);
  return { root, faults };
}

/** Lexes and parses, and stops when the nesting is too deep. */
function tokenize(text: string, faults: Faults): CST.Token[] {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > maxDepth) {
      faults.add(
        { start: parser.offset, end: parser.offset + 1 },
        `The nesting is more than ${maxDepth} levels deep.`,
      );
      return [];
    }
  }
  tokens.push(...parser.end());
  return tokens;
}

function checkDocument(document: Document.Parsed, text: string, faults: Faults): boolean {
  const { explicit, version } = document.directives.yaml;
  if (explicit && version !== "1.2") {
    const start = Math.max(0, text.indexOf("%YAML"));
    faults.add({ start, end: start + 5 }, `The file requires YAML ${version}, and only 1.2 is supported.`, {
      remedy: "Remove the %YAML line.",
    });
    return false;
  }
  // After a tab in the indentation, the further errors of the parser mean nothing.
  const tabs = document.errors.filter((error) => error.code === "TAB_AS_INDENT");
  for (const error of (tabs.length > 0 ? tabs : document.errors).slice(0, maxSyntaxFaults)) {
    const [start, end] = error.pos;
    const [message, remedy] = explain(error.code, error.message);
    faults.add(syntaxSpan(text, { start, end }), message, { remedy });
  }
  return document.errors.length === 0;
}

/** Moves an error after the last character to that character. */
function syntaxSpan(text: string, { start, end }: Span): Span {
  const at = Math.min(start, Math.max(0, text.trimEnd().length - 1));
  return { start: at, end: Math.max(end, at + 1) };
}

function explain(code: string, message: string): [message: string, remedy: string | null] {
  switch (code) {
    case "TAB_AS_INDENT":
      return ["The indentation contains a tab, and YAML allows only spaces.", "Replace the tab with spaces."];
    case "BLOCK_AS_IMPLICIT_KEY":
      return [
        "A value on this line contains a second `: `, which begins a nested mapping.",
        "Put the value in quotes, or write `|` and the value on the next line.",
      ];
    case "BAD_DQ_ESCAPE":
      return [
        "A backslash in double quotes begins an unknown escape sequence.",
        "Write the backslash twice, or put the value in single quotes.",
      ];
    default: {
      // The parser repeats the text that it found after a colon, which may be a password.
      const fact = message.replace(/(?<=\w): .*$/s, "");
      return [`The file is not valid YAML: ${fact}.`, null];
    }
  }
}
