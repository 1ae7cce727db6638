const NEWLINE = 0x0a;

/** Splits a log into whole lines and adds a prefix to each. The bytes stay unchanged. */
export class LinePrefixer {
  readonly #prefix: (lineStart: number) => string;
  #rest: Uint8Array[] = [];
  /** Offsets of the incomplete line and of the next bytes. */
  #start = 0;
  #next = 0;

  /** @param prefix receives the offset of the line in all pushed bytes */
  constructor(prefix: string | ((lineStart: number) => string)) {
    this.#prefix = typeof prefix === "string" ? () => prefix : prefix;
  }

  /** Adds bytes. @returns the lines that are complete now, joined */
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
    // A copy, because the caller may reuse its buffer.
    if (from < bytes.length) this.#rest.push(Uint8Array.from(bytes.subarray(from)));
    return Buffer.concat(out);
  }

  /** Returns the last line without a line break, and adds one. */
  end(): Uint8Array {
    if (this.#rest.length === 0) return new Uint8Array();
    const line = Buffer.concat([Buffer.from(this.#prefix(this.#start)), ...this.#rest, Buffer.of(NEWLINE)]);
    this.#rest = [];
    return line;
  }
}

const KEPT_BYTES = 16 * 1024;

/** Keeps the end of a log in bounded memory. */
export class LogTail {
  #kept = Buffer.alloc(0);

  push(bytes: Uint8Array): void {
    const recent = bytes.subarray(Math.max(0, bytes.length - KEPT_BYTES));
    const before = this.#kept.subarray(Math.max(0, this.#kept.length + recent.length - KEPT_BYTES));
    this.#kept = Buffer.concat([before, recent]);
  }

  /** The last `amount` lines that are not blank, including an incomplete one. */
  lines(amount: number, clean: (line: string) => string): readonly string[] {
    return lastLines(this.#kept, amount, clean);
  }
}

/** The last `amount` lines that are not blank after cleaning. */
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
