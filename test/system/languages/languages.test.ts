/** Real layouts of three languages, made here, from build to deploy by their own tools. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Files, World } from "../../support/cli.ts";

let world: World;
beforeAll(() => {
  world = new World();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

interface Language {
  readonly name: string;
  readonly tools: readonly string[];
  readonly files: Files;
  readonly artifacts: readonly string[];
  /** What the deployed program says. */
  readonly answer: string;
}

/** Installs the artifact and asks it. */
const deploy = (artifact: string, ask: string) => `
deploy:
  artifact: ${artifact}
  run: |
    [ ! -e .shipinator.yaml ]
    mkdir -p "$HOME/bin"
    ${ask}
`;

const languages: readonly Language[] = [
  {
    name: "a Go module",
    tools: ["go"],
    files: {
      "go.mod": "module example.test/counter\n\ngo 1.19\n",
      ".gitignore": "/bin/\n",
      "cmd/counter/main.go":
        'package main\n\nimport (\n\t"bufio"\n\t"fmt"\n\t"os"\n\n\t"example.test/counter/internal/words"\n)\n\nfunc main() {\n\ttotal := 0\n\tlines := bufio.NewScanner(os.Stdin)\n\tfor lines.Scan() {\n\t\ttotal += words.Count(lines.Text())\n\t}\n\tfmt.Println(total, "words")\n}\n',
      "internal/words/words.go":
        '// Package words counts words.\npackage words\n\nimport "strings"\n\n// Count tells how many words a text has.\nfunc Count(text string) int { return len(strings.Fields(text)) }\n',
      "internal/words/words_test.go":
        'package words\n\nimport "testing"\n\nfunc TestCount(t *testing.T) {\n\tif got := Count(" one  two "); got != 2 {\n\t\tt.Fatalf("got %d", got)\n\t}\n}\n',
      ".shipinator.yaml": `
build:
  steps:
    - name: compile
      run: CGO_ENABLED=0 go build -trimpath -o bin/counter ./cmd/counter
      outputs: [{ type: binary, path: bin/counter }]
test:
  steps:
    - { name: vet, parallel: true, run: go vet ./... }
    - name: unit
      parallel: true
      run: go test -coverprofile=coverage.out ./...
      artifacts: [{ type: coverage, path: coverage.out }]
    - { name: binary, run: '[ "$(echo one two three | bin/counter)" = "3 words" ]' }
${deploy("counter", 'cp "$SHIPINATOR_ARTIFACTS_DIR/counter" "$HOME/bin/" && echo deployed and counted | "$HOME/bin/counter"')}`,
    },
    artifacts: ["counter", "coverage.out"],
    answer: "3 words",
  },
  {
    name: "a Node package",
    tools: ["npm"],
    files: {
      "package.json": `${JSON.stringify({ name: "title-case", version: "0.3.0", type: "module", bin: "bin/title-case.js", files: ["bin", "lib"], scripts: { test: "node --test" } }, null, 2)}\n`,
      "lib/title-case.js":
        "export const titleCase = (text) => text.replace(/\\b\\p{L}/gu, (letter) => letter.toUpperCase());\n",
      "bin/title-case.js":
        '#!/usr/bin/env node\nimport { titleCase } from "../lib/title-case.js";\nconsole.log(titleCase(process.argv.slice(2).join(" ")));\n',
      "test/title-case.test.js":
        'import assert from "node:assert/strict";\nimport { test } from "node:test";\nimport { titleCase } from "../lib/title-case.js";\n\ntest("words", () => assert.equal(titleCase("a small title"), "A Small Title"));\n',
      ".shipinator.yaml": `
build:
  steps:
    - name: pack
      run: npm pack
      outputs: [{ type: binary, name: package, path: "title-case-*.tgz" }]
test:
  steps:
    - name: unit
      run: node --test --test-reporter=junit --test-reporter-destination=report.xml
      artifacts: [{ type: test_report, path: report.xml }]
    - { name: packed, run: "npm install --offline --prefix consumer ./title-case-0.3.0.tgz && consumer/node_modules/.bin/title-case is packed" }
${deploy("package", 'cp package "$TMPDIR/package.tgz" && npm install --offline --silent --prefix "$HOME/app" "$TMPDIR/package.tgz" && "$HOME/app/node_modules/.bin/title-case" it is deployed')}`,
    },
    artifacts: ["package", "report.xml"],
    answer: "It Is Deployed",
  },
  {
    name: "a C program with make",
    tools: ["cc", "make"],
    files: {
      Makefile:
        "CFLAGS ?= -O2 -Wall -Wextra -Werror\n\nbuild/reverse: src/main.c src/reverse.c include/reverse.h\n\tmkdir -p build\n\t$(CC) $(CFLAGS) -Iinclude -o $@ src/main.c src/reverse.c\n\ncheck: build/check\n\t./build/check\n\nbuild/check: test/check.c src/reverse.c\n\tmkdir -p build\n\t$(CC) $(CFLAGS) -Iinclude -o $@ test/check.c src/reverse.c\n\n.PHONY: check\n",
      "include/reverse.h": "#ifndef REVERSE_H\n#define REVERSE_H\nvoid reverse(char *text);\n#endif\n",
      "src/reverse.c":
        '#include "reverse.h"\n#include <string.h>\n\nvoid reverse(char *text) {\n  size_t n = strlen(text);\n  for (size_t i = 0; i < n / 2; i++) {\n    char c = text[i];\n    text[i] = text[n - 1 - i];\n    text[n - 1 - i] = c;\n  }\n}\n',
      "src/main.c":
        '#include "reverse.h"\n#include <stdio.h>\n\nint main(int argc, char **argv) {\n  for (int i = 1; i < argc; i++) {\n    reverse(argv[i]);\n    puts(argv[i]);\n  }\n  return 0;\n}\n',
      "test/check.c":
        '#include "reverse.h"\n#include <string.h>\n\nint main(void) {\n  char text[] = "abc";\n  reverse(text);\n  return strcmp(text, "cba") != 0;\n}\n',
      ".shipinator.yaml": `
build:
  steps:
    - name: compile
      run: make build/reverse
      outputs: [{ type: binary, path: build/reverse }]
test:
  steps:
    - { name: check, run: make check }
    - { name: restored, run: '[ "$(build/reverse olleh)" = hello ]' }
${deploy("reverse", 'install -m 755 "$SHIPINATOR_ARTIFACTS_DIR/reverse" "$HOME/bin/reverse" && "$HOME/bin/reverse" deyolped')}`,
    },
    artifacts: ["reverse"],
    answer: "deployed",
  },
];

/** The reason for a skip; where the suite is to prove everything (CI), a skip fails it. */
function missing(tools: readonly string[]): string | null {
  const absent = tools.filter((tool) => {
    try {
      execFileSync("sh", ["-c", 'command -v "$1"', "sh", tool], { stdio: "ignore" });
      return false;
    } catch {
      return true;
    }
  });
  return absent.length === 0 ? null : `${absent.join(" and ")} not on the PATH`;
}

describe("build, test and deploy of", () => {
  for (const language of languages) {
    it(language.name, async ({ skip }) => {
      const lacking = missing(language.tools);
      if (lacking !== null) skip(lacking);
      const name = language.name.replaceAll(" ", "-").toLowerCase();
      const repository = world.repository(name, language.files);
      const { code, stdout, stderr } = await world.shipinator(["run", repository]);
      expect({ code, stdout: code === 0 ? "" : stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
      const run = await world.status();
      expect(run).toMatchObject({ status: "success", phase: "deployed", dirty: false });
      expect(run.artifacts.map((artifact) => artifact.name)).toEqual(language.artifacts);
      expect(await world.log("latest", "deploy")).toBe(`${language.answer}\n`);
      for (const artifact of run.artifacts)
        expect(readFileSync(artifact.storage_path)).toHaveLength(artifact.size);
      expect(world.git(repository, "status", "--porcelain", "--ignored")).toBe("");
      expect(readFileSync(join(repository, ".shipinator.yaml"), "utf8")).toBe(
        language.files[".shipinator.yaml"],
      );
    });
  }
});
