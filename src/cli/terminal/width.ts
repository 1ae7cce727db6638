/** How many cells a text takes on a terminal, and texts cut or padded to a number of cells. Input has no controls. */
let segmenter: Intl.Segmenter | undefined;
const printableAscii = /^[\x20-\x7e]*$/;
const invisible = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]$/u;
const picture = /\p{Emoji_Presentation}|\ufe0f/u;

/** East Asian wide and full-width blocks (Unicode 16, UAX #11), first and last code point. */
const wideBlocks: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

export function widthOf(text: string): number {
  if (printableAscii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmentsOf(text)) width += cells(segment);
  return width;
}

/** At most `width` cells of the text; where something is cut, `more` (one cell) takes the last. */
export function cut(text: string, width: number, more: string): string {
  if (width <= 0) return "";
  if (text.length <= width && printableAscii.test(text)) return text;
  let kept = "";
  let used = 0;
  let fits = "";
  for (const { segment } of segmentsOf(text)) {
    const next = used + cells(segment);
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

/** Made when the first text needs it: that takes 10 ms, and most commands show nothing but ASCII. */
function segmentsOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return segmenter.segment(text);
}

function cells(grapheme: string): number {
  const point = grapheme.codePointAt(0) ?? 0;
  if (point < 0x7f) return grapheme.includes("\ufe0f") ? 2 : 1;
  if (invisible.test(String.fromCodePoint(point))) return 0;
  if (picture.test(grapheme)) return 2;
  return wideBlocks.some(([first, last]) => point >= first && point <= last) ? 2 : 1;
}
