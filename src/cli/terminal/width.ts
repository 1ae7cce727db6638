/** Width of text in terminal cells. The input contains no control characters. */
import { createRequire } from "node:module";

const requireNow = createRequire(import.meta.url);
const printableAscii = /^[\x20-\x7e]*$/;
let segmenter: Intl.Segmenter | undefined;

/** Measures a text. The library takes 25 ms to load, so the first text that is not ASCII loads it. */
export function widthOf(text: string): number {
  if (printableAscii.test(text)) return text.length;
  const { default: stringWidth }: typeof import("string-width") = requireNow("string-width");
  return stringWidth(text);
}

/** Cuts a text to `width` cells. A cut text ends in `more`, which is one cell wide. */
export function cut(text: string, width: number, more: string): string {
  if (width <= 0) return "";
  if (text.length <= width && printableAscii.test(text)) return text;
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  let kept = "";
  let used = 0;
  let fits = "";
  for (const { segment } of segmenter.segment(text)) {
    const next = used + widthOf(segment);
    if (next > width) return fits + more;
    kept += segment;
    used = next;
    if (used <= width - 1) fits = kept;
  }
  return kept;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}
