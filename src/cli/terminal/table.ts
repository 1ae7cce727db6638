/**
 * A table that fits: columns as wide as their widest cell, the flexible ones cut when the terminal is narrow. A header is
 * never cut: where even that is too wide, columns that may be left out are, and then each row is a block of lines.
 */
import type { Style } from "./style.ts";
import { cut, widthOf } from "./width.ts";

export interface Column<Row> {
  readonly header: string;
  /** The cell's text, without control characters. */
  readonly text: (row: Row) => string;
  readonly paint?: (text: string, row: Row) => string;
  readonly align?: "right";
  /** May be cut, down to this many cells or its header's; the first such column gives way last. */
  readonly shrinkTo?: number;
  /** May be left out on a narrow terminal; the first such column goes last. */
  readonly narrow?: "left out";
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
  for (let shown = columns; ; ) {
    const cells = rows.map((row) => shown.map((column) => column.text(row)));
    const natural = shown.map(({ header }, index) =>
      Math.max(widthOf(header), ...cells.map((line) => widthOf(line[index] ?? ""))),
    );
    const widths = width === null ? natural : shrink(shown, natural, width);
    if (width === null || excessOf(widths, width) <= 0)
      return renderLines(shown, rows, { style, cells, widths });
    const spare = shown.findLast(({ narrow }) => narrow === "left out");
    if (spare === undefined) return renderBlocks(columns, rows, style);
    shown = shown.filter((column) => column !== spare);
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

/** Each row as lines of header and cell. */
function renderBlocks<Row>(columns: readonly Column<Row>[], rows: readonly Row[], style: Style): string {
  const room = Math.max(...columns.map(({ header }) => widthOf(header))) + GAP;
  const block = (row: Row) =>
    columns.map(({ header, text, paint }) => {
      const cell = text(row);
      const label = style.bold(header) + " ".repeat(room - widthOf(header));
      return `${`${label}${paint?.(cell, row) ?? cell}`.trimEnd()}\n`;
    });
  return rows.map((row) => block(row).join("")).join("\n");
}

function excessOf(widths: readonly number[], width: number): number {
  return widths.reduce((sum, cells) => sum + cells, 0) + GAP * (widths.length - 1) - width;
}

/** Takes what is too much from the last flexible column first, each down to its least. */
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
    const least = Math.max(shrinkTo, widthOf(header));
    if (now <= least) continue;
    const taken = Math.min(excess, now - least);
    widths[index] = now - taken;
    excess -= taken;
  }
  return widths;
}
