import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { ClosingReporter } from "./test/support/closing-reporter.ts";

const skipsAllowed = (project: string) => project === "system" && !process.env.CI;

interface Suite {
  readonly testTimeout: number;
  readonly globalSetup?: string[];
}

function suite(name: string, { testTimeout, globalSetup = [] }: Suite) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout,
      hookTimeout: testTimeout,
      globalSetup,
    },
  };
}

const postgres = ["test/support/postgres.ts"].filter((file) => existsSync(file));
const seed = ["test/support/seed.ts"].filter((file) => existsSync(file));

export default defineConfig({
  test: {
    maxWorkers: 2,
    passWithNoTests: true,
    reporters: ["default", new ClosingReporter(skipsAllowed)],
    projects: [
      suite("unit", { testTimeout: 5_000 }),
      suite("pg", { testTimeout: 30_000, globalSetup: postgres }),
      suite("e2e", { testTimeout: 120_000, globalSetup: seed }),
      suite("system", { testTimeout: 600_000, globalSetup: [...postgres, ...seed] }),
    ],
  },
});
