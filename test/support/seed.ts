/** Global setup of the suites that run the whole program: one data directory with its database, for worlds to copy. */
import type { TestProject } from "vitest/node";
import { World } from "./cli.ts";
import { databaseIsOurs } from "./external-database.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Empty where no world has a database of its own. */
    seed: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  project.provide("seed", "");
  if (!databaseIsOurs) return async () => {};
  await using stack = new AsyncDisposableStack();
  const world = stack.use(new World());
  await world.succeed(["list"]);
  project.provide("seed", world.dataDir);
  const made = stack.move();
  return () => made[Symbol.asyncDispose]();
}
