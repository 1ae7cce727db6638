/** Something wrong at a place of a text: what the readers and rules of this room collect. */
export interface Span {
  /** Offset of the first character, in UTF-16 units. */
  readonly start: number;
  /** Offset behind the last one. */
  readonly end: number;
}

export interface Fault extends Span {
  /** The fact, as one sentence without a full stop. */
  readonly message: string;
  /** What was probably meant. */
  readonly suggestion: string | null;
  /** What to do about it, as a sentence. */
  readonly remedy: string | null;
}

export interface FaultOptions {
  readonly suggestion?: string | null;
  readonly remedy?: string | null;
}

/** Collects faults. Of several at one place the first is kept: the others follow from it. */
export class Faults {
  readonly #byStart = new Map<number, Fault>();

  add(at: Span, message: string, options: FaultOptions = {}): void {
    if (this.#byStart.has(at.start)) return;
    const { suggestion = null, remedy = null } = options;
    this.#byStart.set(at.start, { start: at.start, end: at.end, message, suggestion, remedy });
  }

  get any(): boolean {
    return this.#byStart.size > 0;
  }

  /** In the order of the text. */
  list(): readonly Fault[] {
    return [...this.#byStart.values()].sort((one, other) => one.start - other.start);
  }
}

/** Text of a user as it may stand in a message: quoted, control characters escaped, cut where it is long. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  // Directional overrides would let a message read otherwise than it is.
  return JSON.stringify(shown).replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
