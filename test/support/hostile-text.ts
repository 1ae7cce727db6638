/**
 * Text of others, 100 kB of what makes an expression try again and again. Each reader takes 2 s for all of them on a slow
 * machine; one that takes time in the square of the text takes more than a minute, and runs into the timeout.
 */
import { expect, it } from "vitest";
import { Problem } from "../../src/kernel/index.ts";

const units = [
  ..."a/\\-_.: =~@#[{\"'\r\n\t0",
  ...[
    "a.",
    "a-",
    "a/",
    "://",
    "://a",
    "a@",
    "{{",
    "{{ ",
    "a: ",
    "- ",
    "\n\n",
    "\n ",
    'x="',
    "aa_",
    "pack ",
    "not ",
    "é",
    "\u0000",
  ],
  ...["\x1b[", "\x1b]", "\x9b0", "\x1b[0;", "${", "%41", "http://", "../", "./", "repository "],
];
const bodies = units.map((unit) => unit.repeat(Math.ceil(100_000 / unit.length)));
const hostile = bodies.flatMap((body) => [body, `x${body}!`, `https://h/${body}x`]);

type Readers = Readonly<Record<string, (text: string) => unknown>>;

/** For readers that do little with each character. */
export function itReadsHostileText(readers: Readers): void {
  expectReadInTime(readers, hostile);
}

/** For readers that do much with each character, in time that is in proportion to them. */
export function itReadsHostileTextThoroughly(readers: Readers): void {
  expectReadInTime(readers, bodies);
}

function expectReadInTime(readers: Readers, texts: readonly string[]): void {
  it.each(Object.entries(readers))("hostile text is read in time as %s", { timeout: 30_000 }, (_, read) => {
    let count = 0;
    for (const text of texts) {
      try {
        read(text);
      } catch (error) {
        // A refusal is an answer; anything else, such as an exhausted stack, is not.
        expect(error).toBeInstanceOf(Problem);
      }
      count++;
    }
    expect(count).toBe(texts.length);
  });
}
