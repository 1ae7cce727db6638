/** The lines of a failed step's log that say what failed, and its last ones. Pure. */

/** Stands for lines that are left out. */
export const gapLine = "…";

/** The number of a log's last lines that are searched. `logTail` limits their bytes. */
export const excerptLines = 20_000;

/** The maximum number of bytes read from a log's end. */
export const tailBytes = 262_144;

/** The maximum number of lines of an excerpt. */
const maxLines = 30;
const lastLines = 8;
/** The number of last lines if no earlier line names a failure. */
const lastLinesAlone = 20;
/** Lines around one that names a failure: names come before, values after. */
const before = 1;
const after = 2;
const maxLine = 1_000;

/** Lines with which common tools say what failed. */
const decisive: readonly RegExp[] = [
  // TAP; what is to be done yet is no failure.
  /^\s*not ok\b(?!.*#\s*(?:todo|skip))/i,
  // Go, Jest, Vitest, pytest, Rust, Surefire.
  /^\s*(?:=+|-+)?\s*(?:FAIL|FAILED|FAILURE)\b(?!\w*[:=]?\s*0\b)/,
  /\b(?:FAILED(?![:=]? 0\b)|BUILD FAILURE|Failures: [1-9]\d*|Errors: [1-9]\d*)\b/,
  /^\s*[×✕✖✗]\s/,
  /^E {3}/,
  // Exceptions, assertions and panics.
  /(?:^|[\s.:[(])[A-Za-z]*(?:Error|Exception)(?: \[\w+\])?: /,
  /\bAssertionError\b|^assertion .*failed/i,
  /^panic: |^thread '.*' panicked at|^fatal error: /,
  // Compilers, linkers and command-line tools.
  /(?:^|[\s:)])(?:fatal )?error(?:[[ ][A-Z]*\d+\]?)?: /i,
  /^\S+\.go:\d+:\d+: |: undefined reference to |^\s*\d+:\d+\s+error\s/,
  /^(?:fatal|error|npm (?:ERR!|error)|\[ERROR\])(?::|\s)/i,
  /^(?:g?make|mingw32-make)(?:\[\d+\])?: \*\*\*/,
  // Shells and the kernel.
  /: (?:command )?not found$|: Permission denied$|: No such file or directory$|^Segmentation fault|^Killed$/,
];

/** Lines with which test runners say that something passed: node, TAP, Vitest, Jest, Go, Rust, pytest. */
const passing =
  /^\s*(?:ok \d+\b|[✓✔√]\s|--- PASS: |PASS\b|# Subtest: )|^ok\s+\S+\s+[\d(]|^test .* \.\.\. ok$|\bPASSED\b(?:\s+\[ *\d+%\])?$/;

/**
 * At most 30 lines, blank ones left out, and those of passing tests where a line says what failed. Where more lines say what failed than are shown, they are taken from both ends:
 * compilers say the cause first, test runners sum up at the end.
 */
export function excerptOf(log: Uint8Array): readonly string[] {
  const written = new TextDecoder()
    .decode(log)
    .split("\n")
    .map(plainLine)
    .filter((line) => line !== "");
  const isDecisive = (line: string) => decisive.some((one) => one.test(line));
  const lines = written.some(isDecisive)
    ? written.filter((line) => isDecisive(line) || !passing.test(line))
    : written;
  const found = lines.flatMap((line, at) => (isDecisive(line) ? [at] : []));
  const shown = new Set<number>();
  const show = (from: number, to: number) => {
    for (let at = Math.max(0, from); at <= Math.min(lines.length - 1, to); at += 1) shown.add(at);
  };
  const isEarlier = found.some((at) => at < lines.length - lastLinesAlone);
  show(lines.length - (isEarlier ? lastLines : lastLinesAlone), lines.length - 1);
  for (const at of fromBothEnds(found)) {
    if (shown.size + before + after + 1 > maxLines) break;
    show(at - before, at + after);
  }
  return withGaps(
    lines,
    [...shown].sort((a, b) => a - b),
  );
}

/** Terminal control sequences: colours, and commands such as a title or a link. */
const sequences =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$|(?=\x1b))|[ -/]*[0-~]?)/g;

/** Returns the text as a terminal shows it: without colours, and only the last of overwritten text. */
function plainLine(line: string): string {
  const written = line.trimEnd();
  const text = written
    .slice(written.lastIndexOf("\r") + 1)
    .slice(0, maxLine * 4)
    .replace(sequences, "")
    .trimEnd();
  return text.length > maxLine ? `${text.slice(0, maxLine)}${gapLine}` : text;
}

/** The first, the last, the second, the last but one … */
function fromBothEnds<T>(items: readonly T[]): readonly T[] {
  return items.flatMap((_, at) => items.at(at % 2 === 0 ? at / 2 : -(at + 1) / 2) ?? []);
}

function withGaps(lines: readonly string[], shown: readonly number[]): readonly string[] {
  return shown.flatMap((at, index) => {
    const line = lines[at] ?? "";
    const last = index === 0 ? -1 : (shown[index - 1] ?? -1);
    // What is left out before the first line is no gap in what is shown.
    return index > 0 && at > last + 1 ? [gapLine, line] : [line];
  });
}
