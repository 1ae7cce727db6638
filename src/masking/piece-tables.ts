/** Tables of millions of entries in arrays of numbers. Objects would take seconds and gigabytes. */

/** Maximum number of places of a key. Keys in more places are common text, and their neighbours are found instead. */
const maxPlaces = 8;
/** An entry holds the pattern, the place in it, and the next entry of the same key. */
const entryWidth = 3;

/** A slot holds a key, its first and last entry, and their count. They are adjacent for the processor's cache. */
const slotWidth = 4;

/** Places in patterns by their four bytes, in insertion order. */
export class PlaceTable {
  /** Hash table with linear probing. */
  private slots = new Int32Array(slotWidth << 10);
  private keyCount = 0;
  /** Entry 0 means no entry. */
  private readonly entries: number[] = [0, 0, 0];

  add(key: number, pattern: number, at: number): void {
    const { slots, entries } = this;
    const slot = slotOf(slots, key);
    const count = slots[slot + 3] ?? 0;
    if (count >= maxPlaces) return;
    const entry = entries.length / entryWidth;
    entries.push(pattern, at, 0);
    if (count === 0) {
      slots[slot] = key;
      slots[slot + 1] = entry;
      this.keyCount += 1;
    } else entries[(slots[slot + 2] ?? 0) * entryWidth + 2] = entry;
    slots[slot + 2] = entry;
    slots[slot + 3] = count + 1;
    if (this.keyCount * 2 * slotWidth > slots.length) this.grow();
  }

  keys(): readonly number[] {
    const keys: number[] = [];
    for (let slot = 0; slot < this.slots.length; slot += slotWidth)
      if (this.slots[slot + 1] !== 0) keys.push(this.slots[slot] ?? 0);
    return keys;
  }

  /** Returns the first entry of a key, or 0. */
  first(key: number): number {
    return this.slots[slotOf(this.slots, key) + 1] ?? 0;
  }

  next(entry: number): number {
    return this.entries[entry * entryWidth + 2] ?? 0;
  }

  patternOf(entry: number): number {
    return this.entries[entry * entryWidth] ?? 0;
  }

  placeOf(entry: number): number {
    return this.entries[entry * entryWidth + 1] ?? 0;
  }

  private grow(): void {
    const before = this.slots;
    this.slots = new Int32Array(before.length * 4);
    for (let from = 0; from < before.length; from += slotWidth) {
      if (before[from + 1] === 0) continue;
      const to = slotOf(this.slots, before[from] ?? 0);
      for (let part = 0; part < slotWidth; part += 1) this.slots[to + part] = before[from + part] ?? 0;
    }
  }
}

/** Returns the slot of a key, or the free slot for it. */
function slotOf(slots: Int32Array, key: number): number {
  const mask = slots.length - 1;
  let slot = ((Math.imul(key, 0x9e3779b1) >>> 5) * slotWidth) & mask;
  while (slots[slot + 1] !== 0 && slots[slot] !== key) slot = (slot + slotWidth) & mask;
  return slot;
}

/** Set of the 1-, 2- and 3-grams of some texts. A hash collision can give a false positive. */
export class NGrams {
  private readonly shift: number;
  private readonly ones = new Uint8Array(1 << 8);
  private readonly twos = new Uint8Array(1 << 16);
  private readonly threes: Uint8Array;

  /** @param size total length of the texts */
  constructor(size: number) {
    const bits = Math.min(22, Math.ceil(Math.log2(size + 2)) + 6);
    this.shift = 32 - bits;
    this.threes = new Uint8Array(1 << bits);
  }

  add(bytes: Buffer): void {
    const { ones, twos, threes, shift } = this;
    const { length } = bytes;
    for (let at = 0; at < length; at += 1) {
      const one = bytes[at] ?? 0;
      // A value does not begin with a separator.
      if (!mayBegin(one)) continue;
      ones[one] = 1;
      if (at + 1 === length) return;
      const two = (one << 8) | (bytes[at + 1] ?? 0);
      twos[two] = 1;
      if (at + 2 === length) continue;
      threes[Math.imul((two << 8) | (bytes[at + 2] ?? 0), 0x9e3779b1) >>> shift] = 1;
    }
  }

  mayContain(text: Buffer, from: number, to: number): boolean {
    if (!mayBegin(text[from])) return false;
    for (let at = from; at + 3 <= to; at += 1)
      if (mayBegin(text[at]) && !this.hasThree(text, at)) return false;
    if (to - from >= 3) return true;
    const one = text[from] ?? 0;
    return (to - from === 1 ? this.ones[one] : this.twos[(one << 8) | (text[from + 1] ?? 0)]) === 1;
  }

  private hasThree(text: Buffer, at: number): boolean {
    const gram = ((text[at] ?? 0) << 16) | ((text[at + 1] ?? 0) << 8) | (text[at + 2] ?? 0);
    return this.threes[Math.imul(gram, 0x9e3779b1) >>> this.shift] === 1;
  }
}

export const isSeparator = (byte: number | undefined): boolean => byte === 32 || byte === 44 || byte === 58;
const backslash = 92;
const mayBegin = (byte: number | undefined): boolean => !isSeparator(byte) && byte !== backslash;
