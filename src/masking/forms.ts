/**
 * Forms in which programs print a text, one row for each. `encode` returns whole texts: only a complete one matches.
 * Bytes are characters of latin1.
 */
import { isSignificant } from "./secret-text.ts";

export interface Form {
  readonly name: string;
  readonly encode: (text: string) => readonly string[];
  /** Applies to long values, too. */
  readonly isCommon?: true;
}

export const forms: readonly Form[] = [
  { name: "unchanged", encode: (text) => [latin1(text)], isCommon: true },
  { name: "URL component", encode: (text) => percent(text, /[A-Za-z0-9\-_.!~*'()]/), isCommon: true },
  { name: "URL component, unreserved characters only", encode: (text) => percent(text, /[A-Za-z0-9\-_.~]/) },
  { name: "URL path", encode: (text) => percent(text, /[A-Za-z0-9\-_.~/]/) },
  { name: "URL path segment", encode: (text) => percent(text, /[A-Za-z0-9\-_.~$&+:=@]/) },
  { name: "URL user information", encode: (text) => percent(text, /[A-Za-z0-9\-_.~!$&'()*+,%]/) },
  { name: "whole URL", encode: (text) => percent(text, /[A-Za-z0-9\-_.!~*'();,/?:@&=+$#]/) },
  {
    name: "HTML form",
    encode: (text) =>
      [/[A-Za-z0-9\-_.*]/, /[A-Za-z0-9\-_.~]/, /[A-Za-z0-9\-_.!~*'()]/].flatMap((kept) =>
        percent(text, kept).map((form) => form.replaceAll("%20", "+")),
      ),
  },
  { name: "JSON", encode: (text) => [latin1(json(text))], isCommon: true },
  {
    name: "JSON, slashes escaped",
    encode: (text) => [latin1(json(text).replaceAll("/", "\\/"))],
    isCommon: true,
  },
  { name: "JSON, ASCII only", encode: (text) => [unicodeEscaped(json(text), /[^ -~]/g)], isCommon: true },
  {
    name: "JSON, ASCII only, slashes escaped",
    encode: (text) => [unicodeEscaped(json(text).replaceAll("/", "\\/"), /[^ -~]/g)],
  },
  { name: "JSON for HTML", encode: (text) => [latin1(unicodeEscaped(json(text), /[&<>\u2028\u2029]/g))] },
  {
    name: "JSON for HTML and scripts",
    encode: (text) => [latin1(unicodeEscaped(json(text), /[&<>='\u2028\u2029]/g))],
  },
  {
    name: "JSON, ASCII only, escaped quotes",
    encode: (text) => [
      upperEscapes(unicodeEscaped(json(text).replaceAll('\\"', "\\u0022"), /[^ -~]|[&<>'+`]/g)),
    ],
  },
  {
    name: "JSON within JSON",
    encode: (text) => [latin1(json(json(text))), json(unicodeEscaped(json(text), /[^ -~]/g))],
  },
  { name: "single quotes of a shell", encode: (text) => [latin1(text.replaceAll("'", "'\\''"))] },
  {
    name: "single quotes of a shell, quotes in double quotes",
    encode: (text) => [latin1(text.replaceAll(/'+/g, `'"$&"'`)), latin1(text.replaceAll("'", `'"'"'`))],
  },
  {
    name: "double quotes of a shell",
    encode: (text) => [latin1(text.replaceAll(/["$`\\]/g, "\\$&"))],
    isCommon: true,
  },
  {
    name: "backslashes of a shell",
    encode: (text) => [
      latin1(text.replaceAll(/[^A-Za-z0-9_@%+=:.,/\-\u0080-\u{10ffff}]/gu, "\\$&")),
      bashBackslashes(text),
    ],
  },
  { name: "$'…' of a shell", encode: (text) => [latin1(ansi(text)), octal(ansi(text))] },
  { name: "string of a script", encode: scriptStrings },
  { name: "string of bytes of a script", encode: (text) => scriptStrings(text).map(hexEscaped) },
  { name: "single quotes doubled", encode: (text) => [latin1(text.replaceAll("'", "''"))] },
  { name: "XML or HTML", encode: markup, isCommon: true },
  { name: "text beside a hex dump", encode: dumpText },
];

/** UTF-8 bytes of a text, each as one character. */
export const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

function percent(text: string, kept: RegExp): readonly string[] {
  const table = percentTable(kept);
  let upper = "";
  for (const byte of Buffer.from(text, "utf8")) upper += table[byte] ?? "";
  return [upper, upper.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())];
}

/** Cache by the source of the expression. */
const percentTables = new Map<string, readonly string[]>();

/** Text of each byte in a URL. */
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

/** Escapes units of UTF-16, as JSON does. */
const unicodeEscaped = (text: string, which: RegExp): string =>
  text.replaceAll(which, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
const upperEscapes = (text: string): string =>
  text.replaceAll(/\\u[0-9a-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`);

/** Escapes like bash, which escapes `#` and `~` at the beginning only. */
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
/** Bytes beyond ASCII in octal, as shells print them in the C locale. */
const octal = (text: string): string =>
  latin1(text).replaceAll(/[\x80-\xff]/g, (byte) => `\\${byte.charCodeAt(0).toString(8)}`);

/** Strings of Python, JavaScript, Ruby and Go: either kind of quote, and characters beyond ASCII, may be escaped. */
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
function codePoints(text: string, prefix: string, digits: number): string {
  return text.replaceAll(/[^ -~]/gu, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    if (code.length <= digits) return `${prefix}${code.padStart(digits, "0")}`;
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

/** The text column of `hexdump -C` and `xxd`, 16 bytes a line. Lines of documents need letters and digits to count. */
function dumpText(text: string): readonly string[] {
  const shown = latin1(text).replaceAll(/[^ -~]/g, ".");
  if (shown.length <= 16) return [shown];
  const isDocument = text.includes("\n");
  return (shown.match(/.{16}/g) ?? []).filter(
    (piece) => isSignificant(piece) && (!isDocument || (/[a-z]/i.test(piece) && /\d/.test(piece))),
  );
}
