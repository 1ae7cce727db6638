/** Logs as common tools wrote them, followed by more output than is shown; and the lines that must be in the excerpt. */
import { describe, expect, it } from "vitest";
import { excerptOf, gapLine } from "../../../src/services/runs/excerpt.ts";

const excerpt = (text: string) => excerptOf(Buffer.from(text));
const noise = (count: number, word = "cleaning up") =>
  Array.from({ length: count }, (_, at) => `${word} ${at}\n`).join("");

const outputs: readonly (readonly [tool: string, output: string, lines: readonly string[]])[] = [
  [
    "node --test, TAP",
    `TAP version 13
# Subtest: fine 4
ok 5 - fine 4
  ---
  duration_ms: 0.070155
  ...
# Subtest: adds
not ok 6 - adds
  ---
  duration_ms: 0.927834
  location: '/src/a.test.js:3:1'
  failureType: 'testCodeFailure'
  error: |-
    Expected values to be strictly equal:
    
    2 !== 3
    
  code: 'ERR_ASSERTION'
  ...
`,
    ["not ok 6 - adds", "    Expected values to be strictly equal:", "    2 !== 3"],
  ],
  [
    "node --test, spec",
    `✔ fine 4 (0.056414ms)
✖ adds (0.860853ms)
  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:

  2 !== 3

      at TestContext.<anonymous> (/src/a.test.js:3:25)
✔ later 0 (0.081832ms)
`,
    [
      "✖ adds (0.860853ms)",
      "  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:",
      "  2 !== 3",
    ],
  ],
  [
    "vitest, in colours",
    `\x1b[31m   \x1b[31m×\x1b[31m adds\x1b[39m\x1b[32m 15\x1b[2mms\x1b[22m\x1b[39m
   \x1b[32m✓\x1b[39m ok\x1b[32m 0\x1b[2mms\x1b[22m\x1b[39m
\x1b[41m\x1b[1m FAIL \x1b[22m\x1b[49m \x1b[30m\x1b[42m unit \x1b[49m\x1b[39m test/a.test.ts\x1b[2m > \x1b[22madds
\x1b[31m\x1b[1mAssertionError\x1b[22m: expected 2 to be 3 // Object.is equality\x1b[39m
`,
    [
      "   × adds 15ms",
      " FAIL   unit  test/a.test.ts > adds",
      "AssertionError: expected 2 to be 3 // Object.is equality",
    ],
  ],
  [
    "go test",
    `=== RUN   TestAdd
    a_test.go:4: 1+1 = 2; want 3
--- FAIL: TestAdd (0.00s)
=== RUN   TestLater
`,
    ["    a_test.go:4: 1+1 = 2; want 3", "--- FAIL: TestAdd (0.00s)"],
  ],
  [
    "a panic of Go",
    `--- FAIL: TestPanic (0.00s)
panic: assignment to entry in nil map [recovered, repanicked]

goroutine 18 [running]:
`,
    ["panic: assignment to entry in nil map [recovered, repanicked]"],
  ],
  ["go build", "# x\n./b.go:2:23: undefined: undefinedName\n", ["./b.go:2:23: undefined: undefinedName"]],
  [
    "pytest",
    `    def test_add():
        total = 1 + 1
>       assert total == 3
E       assert 2 == 3

test_a.py:5: AssertionError
=========================== short test summary info ============================
FAILED test_a.py::test_add - assert 2 == 3
`,
    [">       assert total == 3", "E       assert 2 == 3", "FAILED test_a.py::test_add - assert 2 == 3"],
  ],
  [
    "unittest",
    `FAIL: test_x (test_a.T.test_x)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/src/test_a.py", line 7, in test_x
AssertionError: 1 != 2
`,
    ["FAIL: test_x (test_a.T.test_x)", "AssertionError: 1 != 2"],
  ],
  [
    "an exception of Python",
    `Traceback (most recent call last):
  File "<string>", line 1, in <module>
json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
`,
    [
      "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ],
  ],
  [
    "gcc",
    `a.c: In function ‘main’:
a.c:1:20: error: ‘undefined_thing’ undeclared (first use in this function)
    1 | int main(){ return undefined_thing; }
`,
    [
      "a.c: In function ‘main’:",
      "a.c:1:20: error: ‘undefined_thing’ undeclared (first use in this function)",
      "    1 | int main(){ return undefined_thing; }",
    ],
  ],
  [
    "ld",
    "/usr/bin/ld: /tmp/ccX.o: in function `main':\na.c:(.text+0x5): undefined reference to `f'\n",
    ["a.c:(.text+0x5): undefined reference to `f'"],
  ],
  [
    "tsc",
    "a.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.\n",
    ["a.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'."],
  ],
  [
    "rustc",
    "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:5\n",
    ["error[E0425]: cannot find value `x` in this scope", " --> src/main.rs:2:5"],
  ],
  [
    "cargo test",
    `test tests::adds ... FAILED
thread 'tests::adds' panicked at src/lib.rs:8:9:
assertion \`left == right\` failed
  left: 2
`,
    ["test tests::adds ... FAILED", "thread 'tests::adds' panicked at src/lib.rs:8:9:", "  left: 2"],
  ],
  [
    "make",
    "building\nmake: *** [Makefile:4: a] Error 1\n",
    ["building", "make: *** [Makefile:4: a] Error 1"],
  ],
  [
    "npm",
    "npm error code ENOENT\nnpm error syscall open\n",
    ["npm error code ENOENT", "npm error syscall open"],
  ],
  [
    "Maven",
    "[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0\n",
    ["[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0"],
  ],
  [
    "eslint",
    "/src/a.js\n  1:7  error  'x' is never used  no-unused-vars\n",
    ["  1:7  error  'x' is never used  no-unused-vars"],
  ],
  ["sh", "sh: 1: nosuch: not found\n", ["sh: 1: nosuch: not found"]],
  ["git", "fatal: not a git repository\n", ["fatal: not a git repository"]],
];

describe("what failed is in the excerpt, however much was written before and after", () => {
  it.each(outputs)("%s", (_, output, lines) => {
    const shown = excerpt(`${noise(200, "working")}${output}${noise(200)}`);
    expect(shown).toEqual(expect.arrayContaining([...lines]));
    expect(shown).toContain(gapLine);
    expect(shown.at(-1)).toBe("cleaning up 199");
  });
});

describe("an excerpt", () => {
  it("is the last lines where none says what failed", () => {
    expect(excerpt(noise(50))).toEqual(Array.from({ length: 20 }, (_, at) => `cleaning up ${at + 30}`));
    expect(excerpt("one\n\ntwo")).toEqual(["one", "two"]);
    expect(excerpt("")).toEqual([]);
  });

  it("is bounded, and takes the first and the last failures", () => {
    const shown = excerpt(Array.from({ length: 500 }, (_, at) => `not ok ${at}\n${noise(5)}`).join(""));
    expect(shown.filter((line) => line !== gapLine).length).toBeLessThanOrEqual(30);
    expect(shown).toContain("not ok 0");
    expect(shown).toContain("not ok 499");
    expect(excerpt(`error: ${"x".repeat(1_000_000)}\n`).join("").length).toBeLessThan(1_100);
  });

  it.each([
    "ok 1 - fine",
    "not ok 2 - later # TODO not written yet",
    "FAILED: 0",
    "Tests run: 3, Failures: 0, Errors: 0",
    "compiled src/error-page.tsx without an error",
    "# fail 0",
  ])("does not take %j for a failure", (line) => {
    expect(excerpt(`${line}\n${noise(50)}`)).not.toContain(line);
  });

  it.each([
    ["TAP", "not ok 2 - adds", (at: number) => `ok ${at} - fine`],
    ["Vitest", "   × adds 15ms", (at: number) => `   ✓ fine ${at} 0ms`],
    ["go test", "--- FAIL: TestAdd (0.00s)", (at: number) => `--- PASS: TestFine${at} (0.00s)`],
    ["cargo test", "test adds ... FAILED", (at: number) => `test fine_${at} ... ok`],
    [
      "pytest",
      "test_a.py::test_adds FAILED   [ 50%]",
      (at: number) => `test_a.py::test_fine_${at} PASSED   [ 50%]`,
    ],
  ])("spends no lines on passing tests beside a failing one: %s", (_, failing, passing) => {
    const around = (from: number) => Array.from({ length: 20 }, (__, at) => passing(from + at));
    const log = ["begin", ...around(3), failing, "  2 !== 3", ...around(30), "1 failed"].join("\n");
    expect(excerpt(log)).toEqual(["begin", failing, "  2 !== 3", "1 failed"]);
    expect(excerpt(around(3).join("\n"))).toEqual(around(3));
  });

  it("shows what a terminal would: the last state of a line of progress", () => {
    expect(excerpt("10 %\r50 %\rerror: disk full\r\n")).toEqual(["error: disk full"]);
  });
});
