import { defineConfig } from "vitest/config";
import { ClosingReporter } from "./test/support/closing-reporter.ts";

/** The main job from end to end: `npm test` runs these files beside the unit tests. See CONTRIBUTING.md. */
const core = [
  "test/e2e/run/hello.test.ts",
  "test/e2e/run/kill.test.ts",
  "test/e2e/serve/walk.test.ts",
  "test/e2e/executor/conformance.test.ts",
  "test/pg/access-matrix.test.ts",
  "test/pg/apply.test.ts",
  "test/pg/machines.test.ts",
  "test/pg/store/migrate.test.ts",
  "test/pg/submit.test.ts",
];

const skipsAllowed = (project: string) => project === "system" && !process.env.CI;

interface Suite {
  readonly include?: readonly string[];
  readonly testTimeout: number;
  readonly globalSetup?: string[];
}

function suite(
  name: string,
  { include = [`test/${name}/**/*.test.ts`], testTimeout, globalSetup = [] }: Suite,
) {
  return {
    test: {
      name,
      include: [...include],
      testTimeout,
      hookTimeout: testTimeout,
      globalSetup,
    },
  };
}

const postgres = ["test/support/postgres.ts"];
const seed = ["test/support/seed.ts"];

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: ["default", new ClosingReporter(skipsAllowed)],
    projects: [
      suite("unit", { testTimeout: 5_000 }),
      suite("core", { include: core, testTimeout: 120_000, globalSetup: [...postgres, ...seed] }),
      suite("pg", { testTimeout: 30_000, globalSetup: postgres }),
      suite("e2e", { testTimeout: 120_000, globalSetup: seed }),
      suite("system", { testTimeout: 600_000, globalSetup: [...postgres, ...seed] }),
    ],
  },
});
