/**
 * The changing bottom part of a terminal. Lines above it are permanent. The region is overwritten line by line, so that
 * nothing flickers and the scrollback contains only permanent lines.
 */
import type { Writer } from "../deps.ts";
import { widthOf } from "./width.ts";

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const ERASE_TO_LINE_END = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

export interface LiveRegion {
  /** Prints `above` permanently and replaces the region with `lines`, each of which fits the terminal's width. */
  draw(above: readonly string[], lines: readonly string[]): void;
  /** Removes the region and shows the cursor. Idempotent. */
  close(): void;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: our own colour sequences, which have no width
const ownColours = /\x1b\[[0-9;]*m/g;

export function createLiveRegion(out: Writer): LiveRegion {
  let widths: readonly number[] = [];
  let last = "";
  let open = false;

  /** Current number of rows of the region. After a resize the terminal wraps longer lines. */
  function rows(): number {
    return widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / Math.max(1, out.columns))), 0);
  }

  function toTop(): string {
    const up = rows();
    return up === 0 ? "\r" : `\r\x1b[${up}A`;
  }

  return {
    draw(above, lines) {
      const body = lines.map((line) => `${line}${ERASE_TO_LINE_END}\n`).join("");
      if (above.length === 0 && body === last && open) return;
      const printed = above.map((line) => `${line}${ERASE_TO_LINE_END}\n`).join("");
      const start = open ? toTop() : HIDE_CURSOR;
      open = true;
      last = body;
      out.write(`${start}${printed}${body}${ERASE_BELOW}`);
      widths = lines.map((line) => widthOf(line.replace(ownColours, "")));
    },
    close() {
      if (!open) return;
      out.write(`${toTop()}${ERASE_BELOW}${SHOW_CURSOR}`);
      open = false;
      widths = [];
      last = "";
    },
  };
}
