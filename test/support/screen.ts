/**
 * A small terminal: text, line breaks, autowrap, scrollback, and the control sequences that our own views may use. Any
 * other sequence throws, so that a test fails when something foreign reaches the terminal.
 */
export interface Screen {
  write(text: string): void;
  /** The scrollback and the visible rows, right-trimmed, without trailing empty rows. */
  lines(): readonly string[];
  readonly cursor: "shown" | "hidden";
  /** Rows that have scrolled out of reach of the cursor. */
  readonly scrolled: number;
  /** Narrower or wider; rows that no longer fit are wrapped as common terminals do. */
  resize(columns: number): void;
}

interface Row {
  cells: string[];
  /** Continues the row above. */
  wrapped: boolean;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told begins with one
const controlSequence = /^\x1b\[([0-9;?]*)([A-Za-z])$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const tokens = /\x1b\[[0-9;?]*[A-Za-z]|[\s\S]/gu;
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]|\p{Emoji_Presentation}/u;

export function createScreen(size: { readonly columns: number; readonly rows: number }): Screen {
  let { columns } = size;
  let all: Row[] = [{ cells: [], wrapped: false }];
  let y = 0;
  let x = 0;
  let cursor: "shown" | "hidden" = "shown";

  const top = () => Math.max(0, all.length - size.rows);
  const row = (): Row => {
    while (all.length <= y) all.push({ cells: [], wrapped: false });
    return all[y] ?? { cells: [], wrapped: false };
  };

  function put(character: string): void {
    const width = wide.test(character) ? 2 : 1;
    if (x + width > columns) {
      y += 1;
      x = 0;
      row().wrapped = true;
    }
    const { cells } = row();
    while (cells.length < x) cells.push(" ");
    cells[x] = character;
    if (width === 2) cells[x + 1] = "";
    x += width;
  }

  function control(sequence: string): void {
    const [, amount = "", final = ""] = controlSequence.exec(sequence) ?? [];
    if (final === "m" && /^[0-9;]*$/.test(amount)) return;
    if (final === "A") y = Math.max(top(), y - Number(amount || 1));
    else if (final === "K" && amount === "") row().cells.length = Math.min(row().cells.length, x);
    else if (final === "J" && amount === "") {
      row().cells.length = Math.min(row().cells.length, x);
      all.length = y + 1;
    } else if (sequence === "\x1b[?25l") cursor = "hidden";
    else if (sequence === "\x1b[?25h") cursor = "shown";
    else throw new Error(`unexpected control sequence ${JSON.stringify(sequence)}`);
  }

  return {
    write(text) {
      for (const [token] of text.matchAll(tokens)) {
        if (token.length > 1 && token.startsWith("\x1b")) control(token);
        else if (token === "\n") {
          y += 1;
          x = 0;
          row();
        } else if (token === "\r") x = 0;
        else if (/\p{Cc}/u.test(token))
          throw new Error(`unexpected control character ${JSON.stringify(token)}`);
        else put(token);
      }
    },
    lines() {
      const lines = all.map(({ cells }) => cells.join("").trimEnd());
      while (lines.at(-1) === "") lines.pop();
      return lines;
    },
    get cursor() {
      return cursor;
    },
    get scrolled() {
      return top();
    },
    resize(next) {
      const logical: string[][] = [];
      for (const { cells, wrapped } of all) {
        if (wrapped) logical.at(-1)?.push(...cells);
        else logical.push([...cells]);
      }
      all = logical.flatMap((cells) => {
        const rows: Row[] = [];
        for (let from = 0; from === 0 || from < cells.length; from += next)
          rows.push({ cells: cells.slice(from, from + next), wrapped: from > 0 });
        return rows;
      });
      columns = next;
      y = all.length - 1;
      x = all[y]?.cells.length ?? 0;
    },
  };
}
