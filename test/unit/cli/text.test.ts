import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  elapsed,
  formatAge,
  formatDuration,
  formatSize,
  pathWord,
} from "../../../src/cli/terminal/format.ts";
import { sanitizeKeepingColors, sanitizeLine, sanitizeName } from "../../../src/cli/terminal/sanitize.ts";
import { createStyle } from "../../../src/cli/terminal/style.ts";
import { renderTable } from "../../../src/cli/terminal/table.ts";
import { cut, padEnd, padStart, widthOf } from "../../../src/cli/terminal/width.ts";
import { LinePrefixer, LogTail, lastLines } from "../../../src/cli/watch/log-lines.ts";
import { shellWord } from "../../../src/kernel/index.ts";

describe("width", () => {
  it.each([
    ["", 0],
    ["abc", 3],
    ["漢字", 4],
    ["한국어", 6],
    ["é", 1],
    ["e\u0301", 1],
    ["👍", 2],
    ["👩‍👩‍👧‍👦", 2],
    ["❤️", 2],
    ["a\u200bb", 2],
    ["…", 1],
    ["ｆｕｌｌ", 8],
  ])("%s takes %i cells", (text, cells) => {
    expect(widthOf(text)).toBe(cells);
  });

  it("cuts to at most the width, and only what does not fit", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, width) => {
        const shown = cut(text, width, "…");
        expect(widthOf(shown)).toBeLessThanOrEqual(width);
        if (widthOf(text) <= width && width > 0) expect(shown).toBe(text);
      }),
    );
  });

  it("never halves a wide character", () => {
    expect(cut("漢字漢字", 4, "…")).toBe("漢…");
    expect(cut("漢字", 4, "…")).toBe("漢字");
    expect(cut("漢字", 1, "…")).toBe("…");
  });

  it("pads by cells", () => {
    expect(padEnd("漢", 4)).toBe("漢  ");
    expect(padStart("漢", 4)).toBe("  漢");
    expect(padEnd("long", 2)).toBe("long");
  });
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const colours = /\x1b\[[0-9;:]*m/g;

describe("sanitizing", () => {
  it.each([
    ["plain", "plain"],
    ["\x1b[1;31mred\x1b[0m", "red"],
    ["\x1b[2J\x1b[H\x1b[?25lx", "x"],
    ["\x1b]0;title\x07x", "x"],
    ["\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"],
    ["\x1bP1$r\x1b\\x", "x"],
    ["\x1b]0;never ends", ""],
    ["\x1b]0;cut\x1b[31mx", "x"],
    ["\x1b7\x1b8\x1bc\x1b(Bx", "x"],
    ["end\x1b", "end"],
    ["end\x1b[", "end"],
    ["\u009b2Jx", "x"],
    ["a\x00\x07\x08b\x7f", "ab"],
    ["10%\r50%\r100%", "100%"],
    ["100%\r", "100%"],
    ["done\r\r", "done"],
    ["a\tb", "a       b"],
    ["\u202egnp.exe", "gnp.exe"],
  ])("%j becomes %j", (line, shown) => {
    expect(sanitizeLine(line)).toBe(shown);
  });

  it("leaves no control character in any text", () => {
    const controls = fc.constantFrom("\x1b", "\x1b[", "\x1b]", "\x9b", "\r", "\t", "m", "\x07", "\x00", "é");
    const piece = fc.oneof(fc.string({ maxLength: 5 }), controls);
    const clean = (text: string) => !/\p{Cc}/u.test(text);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join("").replaceAll("\n", "");
        return clean(sanitizeLine(text)) && clean(sanitizeName(text));
      }),
    );
  });

  it("keeps colours where they are wanted, nothing else, and resets them", () => {
    expect(sanitizeKeepingColors("\x1b[31mred\x1b[2J\x1b[0m")).toBe("\x1b[31mred\x1b[0m\x1b[0m");
    expect(sanitizeKeepingColors("\x1b[31m10%\r\x1b[32m100%")).toBe("\x1b[32m100%\x1b[0m");
    expect(sanitizeKeepingColors("plain")).toBe("plain");
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom("\x1b[31m", "\x1b[2J", "\r"))),
        (pieces) => {
          const rest = sanitizeKeepingColors(pieces.join("").replaceAll("\n", "")).replace(colours, "");
          expect(rest).not.toMatch(/\p{Cc}/u);
        },
      ),
    );
  });

  it("takes a hostile line in its stride", () => {
    for (const piece of ["\x1b]", "\x1b[", "\x1b", "\x9b", "\r", "\t", "\x1b[31m", "\x1bP\x1b"])
      expect(sanitizeLine(piece.repeat(50_000)).trim()).toBe("");
  });

  it("puts a name on one line", () => {
    expect(sanitizeName("a\nb\r\n\tc")).toBe("a b c");
  });
});

describe("times, sizes and words", () => {
  it.each([
    [0, "0.0s"],
    [-5, "0.0s"],
    [1_234, "1.2s"],
    [59_949, "59.9s"],
    [59_950, "1m 00s"],
    [61_000, "1m 01s"],
    [3_599_400, "59m 59s"],
    [3_600_000, "1h 00m"],
    [90_061_000, "25h 01m"],
  ])("%i ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1_048_575, "1.0 MiB"],
    [5 * 1024 ** 3, "5.0 GiB"],
    [3000 * 1024 ** 4, "3000.0 TiB"],
  ])("%i bytes are %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it.each([
    ["2026-03-01T12:00:00Z", "just now"],
    ["2026-03-01T12:00:30Z", "just now"],
    ["2026-03-01T11:59:20Z", "40s ago"],
    ["2026-03-01T11:30:00Z", "30m ago"],
    ["2026-03-01T02:00:00Z", "10h ago"],
    ["2026-02-20T12:00:00Z", "9d ago"],
    ["2025-12-01T12:00:00Z", "2025-12-01"],
  ])("%s is %s", (time, text) => {
    expect(formatAge(time, new Date("2026-03-01T12:00:00Z"))).toBe(text);
  });

  it("never counts backwards where clocks disagree", () => {
    expect(elapsed("2026-03-01T12:00:01Z", null, new Date("2026-03-01T12:00:00Z"))).toBe(0);
    expect(elapsed(null, null, new Date())).toBeNull();
  });

  it("quotes what a shell would read otherwise", () => {
    expect(shellWord("build/unit-1.2")).toBe("build/unit-1.2");
    expect(shellWord("a b; rm -rf $HOME")).toBe("'a b; rm -rf $HOME'");
    expect(shellWord("it's")).toBe("'it'\\''s'");
    expect([pathWord("-x"), pathWord("a b")]).toEqual(["./-x", "'a b'"]);
    expect(shellWord("")).toBe("''");
    expect([shellWord("web/app#1"), shellWord("#1")]).toEqual(["web/app#1", "'#1'"]);
  });
});

describe("style", () => {
  const terminal = { isTTY: true };
  const pipe = { isTTY: false };
  it.each([
    [terminal, {}, true],
    [pipe, {}, false],
    [terminal, { NO_COLOR: "1" }, false],
    [terminal, { NO_COLOR: "" }, true],
    [terminal, { TERM: "dumb" }, false],
    [pipe, { FORCE_COLOR: "1" }, true],
    [pipe, { FORCE_COLOR: "3" }, true],
    [terminal, { FORCE_COLOR: "0" }, false],
    [pipe, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    [pipe, { CLICOLOR_FORCE: "1" }, true],
    [terminal, { CLICOLOR: "0" }, false],
  ])("%o with %o", (stream, environment, color) => {
    expect(createStyle(stream, environment).color).toBe(color);
  });

  it.each([
    [{}, "✓"],
    [{ LANG: "C.UTF-8" }, "✓"],
    [{ LANG: "en_US.utf8", LC_ALL: "" }, "✓"],
    [{ LC_ALL: "C", LANG: "C.UTF-8" }, "+"],
    [{ TERM: "linux", LANG: "C.UTF-8" }, "+"],
  ])("marks with %o", (environment, ok) => {
    expect(createStyle(terminal, environment).marks.ok).toBe(ok);
  });
});

describe("tables", () => {
  const style = createStyle({ isTTY: false }, {});
  const columns = [
    { header: "A", shrinkTo: 3, text: (row: readonly string[]) => row[0] ?? "" },
    { header: "B", align: "right" as const, text: (row: readonly string[]) => row[1] ?? "" },
    { header: "C", shrinkTo: 4, text: (row: readonly string[]) => row[2] ?? "" },
  ];
  const rows = [
    ["alphabet", "1", "zzzzzzzz"],
    ["漢字", "1000", "z"],
  ];

  it("gives each column the room it needs", () => {
    expect(renderTable(columns, rows, { style, width: null })).toBe(
      "A            B  C\nalphabet     1  zzzzzzzz\n漢字      1000  z\n",
    );
  });

  it("takes from the last flexible column first, never more than it may", () => {
    expect(renderTable(columns, rows, { style, width: 20 })).toBe(
      "A            B  C\nalphabet     1  zzz…\n漢字      1000  z\n",
    );
    expect(renderTable(columns, rows, { style, width: 15 })).toBe(
      "A       B  C\nal…     1  zzz…\n漢…  1000  z\n",
    );
  });

  it("cuts no header, leaves out what may be, and then gives each row lines of its own", () => {
    const headed = [
      { header: "PROJECT", shrinkTo: 2, text: (row: readonly string[]) => row[0] ?? "" },
      { header: "ID", text: (row: readonly string[]) => row[1] ?? "" },
      { header: "REASON", whenNarrow: "hidden" as const, text: (row: readonly string[]) => row[2] ?? "" },
    ];
    const wide = [["alphabetical", "1000", "failed"]];
    expect(renderTable(headed, wide, { style, width: 21 })).toBe(
      "PROJECT  ID    REASON\nalphab…  1000  failed\n",
    );
    expect(renderTable(headed, wide, { style, width: 20 })).toBe("PROJECT       ID\nalphabetical  1000\n");
    expect(renderTable(headed, wide, { style, width: 13 })).toBe("PROJECT  ID\nalphab…  1000\n");
    expect(renderTable(headed, [...wide, ["b", "2", ""]], { style, width: 12 })).toBe(
      "PROJECT  alphabetical\nID       1000\nREASON   failed\n\nPROJECT  b\nID       2\nREASON\n",
    );
  });
});

describe("log lines", () => {
  const bytes = fc
    .uint8Array({ maxLength: 200 })
    .map((array) => array.map((byte) => (byte % 5 === 0 ? 10 : byte)));

  it("gives out every byte once, however they come, and cuts no line", () => {
    fc.assert(
      fc.property(fc.array(bytes), (chunks) => {
        const whole = Buffer.concat(chunks);
        const prefixer = new LinePrefixer("> ");
        const pieces = chunks.map((chunk) => Buffer.from(prefixer.push(chunk)));
        for (const piece of pieces) if (piece.length > 0) expect(piece.at(-1)).toBe(10);
        const text = Buffer.concat([...pieces, prefixer.end()]).toString("latin1");
        const expected = whole.toString("latin1").replace(/[^\n]*\n|[^\n]+$/g, (line) => `> ${line}`);
        expect(text).toBe(whole.length === 0 || expected.endsWith("\n") ? expected : `${expected}\n`);
        expect(prefixer.end()).toHaveLength(0);
      }),
    );
  });

  it("does not keep the caller's buffer", () => {
    const prefixer = new LinePrefixer("> ");
    const buffer = Buffer.from("abc");
    prefixer.push(buffer);
    buffer.fill("x");
    expect(Buffer.from(prefixer.push(Buffer.from("\n"))).toString()).toBe("> abc\n");
  });

  it("keeps the end of a log in bounded memory", () => {
    const tail = new LogTail();
    for (let line = 0; line < 10_000; line += 1) tail.push(Buffer.from(`line ${line}\n`));
    tail.push(Buffer.from("\n\n  \nunfinished"));
    expect(tail.lines(3, sanitizeLine)).toEqual(["line 9998", "line 9999", "unfinished"]);
    const huge = new LogTail();
    huge.push(Buffer.alloc(1_000_000, "x"));
    huge.push(Buffer.from("\nend\n"));
    expect(huge.lines(1, sanitizeLine)).toEqual(["end"]);
    expect(huge.lines(5, sanitizeLine)[0]?.length).toBeLessThan(20_000);
  });

  it("finds the last lines of nothing", () => {
    expect(lastLines(new Uint8Array(), 3, sanitizeLine)).toEqual([]);
  });
});
