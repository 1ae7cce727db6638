/** A range of a text. */
export interface Span {
  /** Offset of the first character, in UTF-16 units. */
  readonly start: number;
  /** Offset after the last character. */
  readonly end: number;
}

export interface Fault extends Span {
  /** The fact, as one sentence. */
  readonly message: string;
  /** The probable intention. */
  readonly suggestion: string | null;
  /** The action to take, as an imperative sentence. */
  readonly remedy: string | null;
}

export interface FaultOptions {
  readonly suggestion?: string | null;
  readonly remedy?: string | null;
}

/** Collects faults. Only the first fault at a place is kept, because the others follow from it. */
export class Faults {
  readonly #byStart = new Map<number, Fault>();

  add(at: Span, message: string, options: FaultOptions = {}): void {
    if (this.#byStart.has(at.start)) return;
    const { suggestion = null, remedy = null } = options;
    this.#byStart.set(at.start, { start: at.start, end: at.end, message, suggestion, remedy });
  }

  get isEmpty(): boolean {
    return this.#byStart.size === 0;
  }

  /** The faults in the order of the text. */
  list(): readonly Fault[] {
    return [...this.#byStart.values()].sort((one, other) => one.start - other.start);
  }
}

/** Quotes a user's text for a message: escapes control characters and cuts long text. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  // Directional overrides would change the reading order of the message.
  return JSON.stringify(shown).replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
