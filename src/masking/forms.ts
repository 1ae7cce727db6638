/**
 * The forms in which programs print a text, one row for each. `written` gives the text as a whole; a log holds all of it
 * or it is no match. Bytes are characters of latin1.
 */
import { isTelling } from "./secret-text.ts";

export interface Form {
  readonly name: string;
  readonly written: (text: string) => readonly string[];
  /** Long values are looked for in it as well. */
  readonly isUsual?: true;
}

export const forms: readonly Form[] = [
  { name: "as it is", written: (text) => [latin1(text)], isUsual: true },
  { name: "URL component", written: (text) => percent(text, /[A-Za-z0-9\-_.!~*'()]/), isUsual: true },
  { name: "URL component, unreserved characters only", written: (text) => percent(text, /[A-Za-z0-9\-_.~]/) },
  { name: "URL path", written: (text) => percent(text, /[A-Za-z0-9\-_.~/]/) },
  { name: "URL path segment", written: (text) => percent(text, /[A-Za-z0-9\-_.~$&+:=@]/) },
  { name: "URL user information", written: (text) => percent(text, /[A-Za-z0-9\-_.~!$&'()*+,%]/) },
  { name: "whole URL", written: (text) => percent(text, /[A-Za-z0-9\-_.!~*'();,/?:@&=+$#]/) },
  {
    name: "HTML form",
    written: (text) =>
      [/[A-Za-z0-9\-_.*]/, /[A-Za-z0-9\-_.~]/, /[A-Za-z0-9\-_.!~*'()]/].flatMap((kept) =>
        percent(text, kept).map((form) => form.replaceAll("%20", "+")),
      ),
  },
  { name: "JSON", written: (text) => [latin1(json(text))], isUsual: true },
  {
    name: "JSON, slashes escaped",
    written: (text) => [latin1(json(text).replaceAll("/", "\\/"))],
    isUsual: true,
  },
  { name: "JSON, ASCII only", written: (text) => [unicodeEscaped(json(text), /[^ -~]/g)], isUsual: true },
  {
    name: "JSON, ASCII only, slashes escaped",
    written: (text) => [unicodeEscaped(json(text).replaceAll("/", "\\/"), /[^ -~]/g)],
  },
  { name: "JSON for HTML", written: (text) => [latin1(unicodeEscaped(json(text), /[&<>\u2028\u2029]/g))] },
  {
    name: "JSON for HTML and scripts",
    written: (text) => [latin1(unicodeEscaped(json(text), /[&<>='\u2028\u2029]/g))],
  },
  {
    name: "JSON, ASCII only, all quotes as codes",
    written: (text) => [
      upperEscapes(unicodeEscaped(json(text).replaceAll('\\"', "\\u0022"), /[^ -~]|[&<>'+`]/g)),
    ],
  },
  {
    name: "JSON within JSON",
    written: (text) => [latin1(json(json(text))), json(unicodeEscaped(json(text), /[^ -~]/g))],
  },
  { name: "single quotes of a shell", written: (text) => [latin1(text.replaceAll("'", "'\\''"))] },
  {
    name: "single quotes of a shell, each quote in double ones",
    written: (text) => [latin1(text.replaceAll(/'+/g, `'"$&"'`)), latin1(text.replaceAll("'", `'"'"'`))],
  },
  {
    name: "double quotes of a shell",
    written: (text) => [latin1(text.replaceAll(/["$`\\]/g, "\\$&"))],
    isUsual: true,
  },
  {
    name: "backslashes of a shell",
    written: (text) => [
      latin1(text.replaceAll(/[^A-Za-z0-9_@%+=:.,/\-\u0080-\u{10ffff}]/gu, "\\$&")),
      bashBackslashes(text),
    ],
  },
  { name: "$'…' of a shell", written: (text) => [latin1(ansi(text)), octal(ansi(text))] },
  { name: "string of a script", written: scriptStrings },
  { name: "string of bytes of a script", written: (text) => scriptStrings(text).map(hexEscaped) },
  { name: "single quotes doubled", written: (text) => [latin1(text.replaceAll("'", "''"))] },
  { name: "XML or HTML", written: markup, isUsual: true },
  { name: "text beside a hex dump", written: dumpText },
];

/** Bytes of the text as characters. */
export const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

function percent(text: string, kept: RegExp): readonly string[] {
  const table = percentTable(kept);
  let upper = "";
  for (const byte of Buffer.from(text, "utf8")) upper += table[byte] ?? "";
  return [upper, upper.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())];
}

/** By the expression's source. */
const percentTables = new Map<string, readonly string[]>();

/** Each byte as it stands in a URL. */
function percentTable(kept: RegExp): readonly string[] {
  const known = percentTables.get(kept.source);
  if (known !== undefined) return known;
  const table = Array.from({ length: 256 }, (_, code) => {
    const byte = String.fromCharCode(code);
    return kept.test(byte) ? byte : `%${hexOf(byte).toUpperCase()}`;
  });
  percentTables.set(kept.source, table);
  return table;
}

const hexOf = (byte: string): string => byte.charCodeAt(0).toString(16).padStart(2, "0");
const json = (text: string): string => JSON.stringify(text).slice(1, -1);

/** In units of UTF-16, as JSON has them. */
const unicodeEscaped = (text: string, which: RegExp): string =>
  text.replaceAll(which, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
const upperEscapes = (text: string): string =>
  text.replaceAll(/\\u[0-9a-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`);

/** Bash leaves these as they are, also `#` and `~` but at the beginning. */
const bashBackslashes = (text: string): string =>
  latin1(text.replaceAll(/[ \t!"$&'()*,;<>?[\\\]^`{|}]|^[#~]/g, "\\$&"));

const controls: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
  "\x1b": "\\E",
};
const ansi = (text: string): string =>
  text.replaceAll(/[\\']/g, "\\$&").replaceAll(/\p{Cc}/gu, (control) => controls[control] ?? control);
/** Where the locale has no such characters, each of their bytes in octal. */
const octal = (text: string): string =>
  latin1(text).replaceAll(/[\x80-\xff]/g, (byte) => `\\${byte.charCodeAt(0).toString(8)}`);

/** Python, JavaScript, Ruby, Go: one of both kinds of quotes may be escaped, and what is not ASCII be a code. */
function scriptStrings(text: string): readonly string[] {
  const plain = text
    .replaceAll("\\", "\\\\")
    .replaceAll(/[\t\n\r]/g, (control) => controls[control] ?? control);
  return [plain, plain.replaceAll("'", "\\'"), plain.replaceAll('"', '\\"')].flatMap((quoted) => [
    latin1(quoted),
    codePoints(quoted, "\\x", 2),
    codePoints(quoted, "\\u", 4),
  ]);
}
function codePoints(text: string, least: string, digits: number): string {
  return text.replaceAll(/[^ -~]/gu, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    if (code.length <= digits) return `${least}${code.padStart(digits, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
}
const hexEscaped = (bytes: string): string => bytes.replaceAll(/[^ -~]/g, (byte) => `\\x${hexOf(byte)}`);

function markup(text: string): readonly string[] {
  const inner = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const quoted = inner.replaceAll('"', "&quot;");
  const numbered = inner.replaceAll('"', "&#34;");
  const single = ["&#39;", "&#x27;", "&apos;"].map((code) => quoted.replaceAll("'", code));
  return [inner, quoted, ...single, numbered.replaceAll("'", "&#39;")].map(latin1);
}

/** The third column of `hexdump -C` and `xxd` has 16 bytes in a line. Of a document many such are everywhere. */
function dumpText(text: string): readonly string[] {
  const shown = latin1(text).replaceAll(/[^ -~]/g, ".");
  if (shown.length <= 16) return [shown];
  const isDocument = text.includes("\n");
  return (shown.match(/.{16}/g) ?? []).filter(
    (piece) => isTelling(piece) && (!isDocument || (/[a-z]/i.test(piece) && /\d/.test(piece))),
  );
}
