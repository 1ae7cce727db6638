import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { anchorsOf, fencesOf, localLinks, pages, prose, read, root } from "./support.ts";

describe("the links of the documentation", () => {
  it("lead to files of the checkout, and to headings that are there", () => {
    const broken = pages()
      .flatMap(localLinks)
      .filter(({ page, target }) => {
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? page : join(dirname(page), path);
        if (!existsSync(join(root, file))) return true;
        if (anchor === undefined) return false;
        return !statSync(join(root, file)).isFile() || !anchorsOf(read(file)).has(anchor);
      });
    expect(broken).toEqual([]);
  });

  it("are found: the README leads to every page of docs", () => {
    const targets = localLinks("README.md").map(({ target }) => target.split("#")[0]);
    const wanted = pages().filter((file) => /^docs\/[^/]+\.md$/.test(file));
    expect(wanted.length).toBeGreaterThan(4);
    expect(wanted.filter((file) => !targets.includes(file))).toEqual([]);
  });

  it("see headings and blocks apart", () => {
    const text = "# A `b`: c\n\n```\n# no heading\n[no](link.md)\n```\n\n## Two words\n";
    expect([...anchorsOf(text)]).toEqual(["a-b-c", "two-words"]);
    expect(prose(text)).not.toContain("link.md");
    expect(fencesOf(text)).toEqual([{ language: "", text: "# no heading\n[no](link.md)\n", line: 4 }]);
  });
});
