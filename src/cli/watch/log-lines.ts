/** A step's log as lines: all of them with a prefix, or the last few for a glance. */

const NEWLINE = 0x0a;

/** Gives out whole lines only, each after the prefix, their bytes as they are. */
export class LinePrefixer {
  readonly #prefix: (lineStart: number) => string;
  #rest: Uint8Array[] = [];
  /** Offsets of the line that is not complete, and of what comes next. */
  #start = 0;
  #next = 0;

  /** @param prefix given the offset at which the line begins in all that was pushed */
  constructor(prefix: string | ((lineStart: number) => string)) {
    this.#prefix = typeof prefix === "string" ? () => prefix : prefix;
  }

  /** The lines that are complete with these bytes, as one piece; empty when none is. */
  push(bytes: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, from);
      if (end === -1) break;
      out.push(Buffer.from(this.#prefix(this.#start)), ...this.#rest, bytes.subarray(from, end + 1));
      this.#rest = [];
      from = end + 1;
      this.#start = this.#next + from;
    }
    this.#next += bytes.length;
    // A copy: the caller may use its buffer again.
    if (from < bytes.length) this.#rest.push(Uint8Array.from(bytes.subarray(from)));
    return Buffer.concat(out);
  }

  /** The last line, when it does not end in a line break; it gets one. */
  end(): Uint8Array {
    if (this.#rest.length === 0) return new Uint8Array();
    const line = Buffer.concat([Buffer.from(this.#prefix(this.#start)), ...this.#rest, Buffer.of(NEWLINE)]);
    this.#rest = [];
    return line;
  }
}

const KEPT_BYTES = 16 * 1024;

/** The end of a log, in bounded memory. */
export class LogTail {
  #kept = Buffer.alloc(0);

  push(bytes: Uint8Array): void {
    const recent = bytes.subarray(Math.max(0, bytes.length - KEPT_BYTES));
    const before = this.#kept.subarray(Math.max(0, this.#kept.length + recent.length - KEPT_BYTES));
    this.#kept = Buffer.concat([before, recent]);
  }

  /** Up to `amount` last lines that are not blank, undecorated, the unfinished one included. */
  lines(amount: number, clean: (line: string) => string): readonly string[] {
    return lastLines(this.#kept, amount, clean);
  }
}

/** Up to `amount` last lines of some bytes that are not blank once cleaned. */
export function lastLines(
  bytes: Uint8Array,
  amount: number,
  clean: (line: string) => string,
): readonly string[] {
  const lines: string[] = [];
  const all = new TextDecoder().decode(bytes).split("\n");
  for (let index = all.length - 1; index >= 0 && lines.length < amount; index -= 1) {
    const line = clean(all[index] ?? "").trimEnd();
    if (line !== "") lines.unshift(line);
  }
  return lines;
}
