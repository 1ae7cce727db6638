import { defineConfig } from "vitest/config";

const suite = (name: string) => ({ test: { name, include: [`test/${name}/**/*.test.ts`] } });

export default defineConfig({
  test: { maxWorkers: 2, passWithNoTests: true, projects: [suite("unit"), suite("pg"), suite("e2e"), suite("system")] },
});
