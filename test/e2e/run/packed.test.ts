/** The package as npm packs it, emitted JavaScript and all, outside the checkout: it runs like the checkout does. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { unpackTar } from "modern-tar";
import { afterAll, beforeAll, expect, it } from "vitest";
import { World } from "../../support/cli.ts";

let world: World;
let launcher: string;

/** Packed in a copy, so that the checkout gets no `dist`. */
beforeAll(async () => {
  world = new World();
  const copy = world.directory("copy", {});
  const inputs = ["package.json", "tsconfig.json", "tsconfig.build.json", "src", "migrations"];
  for (const name of [...inputs, "CHANGELOG.md", "LICENSE", "README.md"])
    if (existsSync(name)) cpSync(name, join(copy, name), { recursive: true });
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
  const options = { cwd: copy, env: { ...world.environment }, encoding: "utf8" } as const;
  const name = execFileSync("npm", ["pack", "--silent"], options).trim();
  const files: Record<string, string> = {};
  for (const { header, data } of await unpackTar(gunzipSync(readFileSync(join(copy, name)))))
    if (header.type === "file") files[header.name] = Buffer.from(data ?? []).toString();
  const unpacked = world.directory("unpacked", files);
  symlinkSync(resolve("node_modules"), join(unpacked, "package/node_modules"));
  launcher = join(unpacked, "package/src/launch.js");
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

it("holds what it needs and no TypeScript", () => {
  const root = dirname(dirname(launcher));
  for (const needed of ["dist/main.js", "migrations/0001_tables.sql", "package.json", "LICENSE"])
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
