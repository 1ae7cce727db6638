/** The package as npm packs it, emitted JavaScript and all, outside the checkout: it runs like the checkout does. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { packedLauncher } from "../../support/packed.ts";

let world: World;
let launcher: string;

beforeAll(async () => {
  world = new World();
  launcher = await packedLauncher(world);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

it("holds what it needs and no TypeScript", () => {
  const root = dirname(dirname(launcher));
  for (const needed of [
    "dist/main.js",
    "migrations/0001_baseline.sql",
    "api/v1/shipinator.proto",
    "package.json",
    "LICENSE",
  ])
    expect(existsSync(join(root, needed))).toBe(true);
  expect(existsSync(join(root, "src/main.ts"))).toBe(false);
});

it("says its version, refuses what is wrong, builds, deploys and remembers", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(await world.shipinator(["--version"], { launcher })).toMatchObject({
    code: 0,
    stdout: `${version}\n`,
  });
  const repository = world.repository("app", {
    ".shipinator.yaml": `
build: { steps: [{ name: make, run: "echo made >app", outputs: [{ type: binary, path: app }] }] }
deploy: { artifact: app, run: cat app }
`,
  });
  const { code, stdout, stderr } = await world.shipinator(["run", repository], { launcher });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("[deploy/deploy] made\n");
  expect(await world.shipinator(["validate", world.root], { launcher })).toMatchObject({
    code: 2,
    stdout: "",
  });
  // The checkout finds what the package left: one format, one schema.
  expect(await world.status("1")).toMatchObject({ status: "success", phase: "deployed" });
});
