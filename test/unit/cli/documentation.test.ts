import { describe, expect, it } from "vitest";
import { EXIT } from "../../../src/cli/errors.ts";
import { problems } from "../../../src/kernel/index.ts";
import { read } from "../docs/support.ts";

describe("docs/cli.md", () => {
  it("has every exit code", () => {
    const table = read("docs/cli.md").split("## Exit codes")[1] ?? "";
    for (const code of Object.values(EXIT)) expect(table).toContain(`| ${code} |`);
  });
});

describe("docs/operations.md", () => {
  it("has every code of an error, with its exit code", () => {
    const table = read("docs/operations.md").split("## Errors by code")[1] ?? "";
    const rows = table.split("\n").filter((line) => line.startsWith("| `"));
    const wrong = Object.entries(problems).filter(
      ([code, [, exit]]) => !rows.some((row) => row.includes(`\`${code}\``) && row.includes(`| ${exit} |`)),
    );
    expect(wrong).toEqual([]);
  });
});
