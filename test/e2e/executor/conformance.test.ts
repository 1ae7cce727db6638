import type { JobSpec } from "../../../src/domain/index.ts";
import { executorConformance } from "../../unit/executor/conformance.ts";
import { specOf } from "../../unit/executor/specs.ts";
import { makeWorld } from "./world.ts";

const scripts = { succeed: ":", fail: "exit 3", stay: "sleep 600" } as const;

executorConformance("local", async () => {
  const world = makeWorld();
  return {
    get executor() {
      return world.executor;
    },
    spec: (job: JobSpec, kind) => specOf(job, scripts[kind]),
    restart: () => world.restart(),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
});
