/** A table that fits: columns as wide as their widest cell, the flexible ones cut when the terminal is narrow. */
import type { Style } from "./style.ts";
import { cut, widthOf } from "./width.ts";

export interface Column<Row> {
  readonly header: string;
  /** The cell's text, without control characters. */
  readonly text: (row: Row) => string;
  readonly paint?: (text: string, row: Row) => string;
  readonly align?: "right";
  /** May be cut, down to this many cells; the first such column gives way last. */
  readonly shrinkTo?: number;
}

export interface TableOptions {
  readonly style: Style;
  /** Null: nothing is cut. */
  readonly width: number | null;
}

const GAP = 2;

export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { style, width }: TableOptions,
): string {
  const cells = rows.map((row) => columns.map((column) => column.text(row)));
  const natural = columns.map(({ header }, index) =>
    Math.max(widthOf(header), ...cells.map((line) => widthOf(line[index] ?? ""))),
  );
  const widths = width === null ? natural : shrink(columns, natural, width);
  const line = (texts: readonly string[], paint: (text: string, index: number) => string) =>
    texts
      .map((text, index) => {
        const room = widths[index] ?? 0;
        const shown = cut(text, room, style.marks.more);
        const padding = " ".repeat(Math.max(0, room - widthOf(shown)));
        const painted = paint(shown, index);
        return columns[index]?.align === "right" ? padding + painted : painted + padding;
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  const head = line(
    columns.map(({ header }) => header),
    style.bold,
  );
  const body = rows.map((row, at) =>
    line(cells[at] ?? [], (text, index) => columns[index]?.paint?.(text, row) ?? text),
  );
  return [head, ...body].map((text) => `${text}\n`).join("");
}

/** Takes what is too much from the last flexible column first, each down to its least. */
function shrink<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number,
): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, cells) => sum + cells, 0) + GAP * (widths.length - 1) - width;
  for (let index = widths.length - 1; index >= 0 && excess > 0; index -= 1) {
    const least = columns[index]?.shrinkTo;
    const now = widths[index] ?? 0;
    if (least === undefined || now <= least) continue;
    const taken = Math.min(excess, now - least);
    widths[index] = now - taken;
    excess -= taken;
  }
  return widths;
}
