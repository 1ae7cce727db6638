/**
 * A table that fits the terminal. Columns are as wide as their widest cell, and flexible ones shrink on a narrow terminal.
 * Headers are never cut. If the table is still too wide, optional columns are hidden, and then each row becomes a block.
 */
import type { Style } from "./style.ts";
import { cut, widthOf } from "./width.ts";

export interface Column<Row> {
  readonly header: string;
  /** Text of the cell without control characters. */
  readonly text: (row: Row) => string;
  readonly paint?: (text: string, row: Row) => string;
  readonly align?: "right";
  /** Minimum width in cells of a column that can shrink, at minimum its header's. The last such column shrinks first. */
  readonly shrinkTo?: number;
  /** Hides the column on a narrow terminal. The last such column is hidden first. */
  readonly whenNarrow?: "hidden";
}

export interface TableOptions {
  readonly style: Style;
  /** Null for no limit. */
  readonly width: number | null;
}

const GAP = 2;

export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { style, width }: TableOptions,
): string {
  for (let shown = columns; ; ) {
    const cells = rows.map((row) => shown.map((column) => column.text(row)));
    const natural = shown.map(({ header }, index) =>
      Math.max(widthOf(header), ...cells.map((line) => widthOf(line[index] ?? ""))),
    );
    const widths = width === null ? natural : shrink(shown, natural, width);
    if (width === null || excessOf(widths, width) <= 0)
      return renderLines(shown, rows, { style, cells, widths });
    const hideable = shown.findLast(({ whenNarrow }) => whenNarrow === "hidden");
    if (hideable === undefined) return renderBlocks(columns, rows, style);
    shown = shown.filter((column) => column !== hideable);
  }
}

interface Fitted {
  readonly style: Style;
  readonly cells: readonly (readonly string[])[];
  readonly widths: readonly number[];
}

function renderLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { style, cells, widths }: Fitted,
): string {
  const line = (texts: readonly string[], paint: (text: string, index: number) => string) =>
    texts
      .map((text, index) => {
        const cellWidth = widths[index] ?? 0;
        const shown = cut(text, cellWidth, style.marks.more);
        const padding = " ".repeat(Math.max(0, cellWidth - widthOf(shown)));
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

/** Renders each row as lines of header and cell. */
function renderBlocks<Row>(columns: readonly Column<Row>[], rows: readonly Row[], style: Style): string {
  const cellWidth = Math.max(...columns.map(({ header }) => widthOf(header))) + GAP;
  const block = (row: Row) =>
    columns.map(({ header, text, paint }) => {
      const cell = text(row);
      const label = style.bold(header) + " ".repeat(cellWidth - widthOf(header));
      return `${`${label}${paint?.(cell, row) ?? cell}`.trimEnd()}\n`;
    });
  return rows.map((row) => block(row).join("")).join("\n");
}

function excessOf(widths: readonly number[], width: number): number {
  return widths.reduce((sum, cells) => sum + cells, 0) + GAP * (widths.length - 1) - width;
}

/** Shrinks flexible columns, the last one first, each to its minimum. */
function shrink<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number,
): readonly number[] {
  const widths = [...natural];
  let excess = excessOf(widths, width);
  for (let index = widths.length - 1; index >= 0 && excess > 0; index -= 1) {
    const { shrinkTo, header = "" } = columns[index] ?? {};
    const now = widths[index] ?? 0;
    if (shrinkTo === undefined) continue;
    const minimum = Math.max(shrinkTo, widthOf(header));
    if (now <= minimum) continue;
    const taken = Math.min(excess, now - minimum);
    widths[index] = now - taken;
    excess -= taken;
  }
  return widths;
}
