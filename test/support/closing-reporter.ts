import type { Reporter, TestCase, TestModule } from "vitest/node";

/**
 * Ends every run with the line `N passed, N failed, N skipped` and makes a skipped test a failure: what is not run
 * proves nothing. The one exception is the system suite on a machine that lacks what a test needs, and never under CI;
 * there the reason is printed.
 */
export class ClosingReporter implements Reporter {
  readonly #skipsAllowed: (project: string) => boolean;

  constructor(skipsAllowed: (project: string) => boolean) {
    this.#skipsAllowed = skipsAllowed;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === "skipped");
    const refused = skipped.filter((test) => !this.#skipsAllowed(test.project.name));
    const passed = tests.filter((test) => test.result().state === "passed").length;
    const unfinished = tests.filter((test) => test.result().state === "pending").length;
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const failed = tests.length - passed - skipped.length - unfinished + broken + unhandledErrors.length;
    const lines = skipped.map(
      (test) => `${refused.includes(test) ? "SKIP REFUSED" : "skipped"} ${describe(test)}`,
    );
    if (refused.length > 0) lines.push(`${refused.length} skipped tests: a skip counts as a failure here.`);
    if (unfinished > 0) lines.push(`${unfinished} tests did not finish.`);
    if (refused.length > 0 || unfinished > 0) process.exitCode = 1;
    lines.push(`${passed} passed, ${failed + unfinished} failed, ${skipped.length} skipped`);
    // Written when all other reporters and teardowns have had their say.
    process.once("exit", () => process.stdout.write(`${lines.join("\n")}\n`));
  }
}

function describe(test: TestCase): string {
  const result = test.result();
  const reason = result.state === "skipped" ? result.note : undefined;
  return `${test.module.relativeModuleId} > ${test.fullName}: ${reason ?? "no reason given"}`;
}
