/** The documentation as files of the checkout: what a reader of the repository finds. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../../..");

export function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** Every page, relative to the root. */
export function pages(): readonly string[] {
  const found = globSync(["*.md", "docs/**/*.md", "bench/*.md", "examples/**/*.md"], { cwd: root });
  return found.filter((file) => !file.includes("node_modules")).sort();
}

export interface Fence {
  readonly language: string;
  readonly text: string;
  /** Of its first line of text, from 1. */
  readonly line: number;
}

export function fencesOf(text: string): readonly Fence[] {
  const fences: Fence[] = [];
  let open: { language: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    const mark = /^```(\S*)$/.exec(line);
    if (mark === null) open?.lines.push(line);
    else if (open === null) open = { language: mark[1] ?? "", line: index + 2, lines: [] };
    else {
      fences.push({ language: open.language, line: open.line, text: `${open.lines.join("\n")}\n` });
      open = null;
    }
  }
  if (open !== null) throw new Error(`the block that begins above line ${open.line} is not closed`);
  return fences;
}

/** Text without its blocks, where what looks like a link or heading is none. */
export function prose(text: string): string {
  let inside = false;
  const lines = text.split("\n").map((line) => {
    const mark = line.startsWith("```");
    if (mark) inside = !inside;
    return mark || inside ? "" : line;
  });
  return lines.join("\n");
}

/** The anchors that a forge makes of a page's headings. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...prose(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, title = ""]) => title);
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replace(/ /g, "-"),
    ),
  );
}

export interface Link {
  readonly page: string;
  readonly target: string;
}

/** Links to something in the checkout. */
export function localLinks(page: string): readonly Link[] {
  const links = [...prose(read(page)).matchAll(/\]\(([^()\s]+)\)/g)];
  return links.map(([, target = ""]) => ({ page, target })).filter(({ target }) => !/^[a-z]+:/i.test(target));
}
