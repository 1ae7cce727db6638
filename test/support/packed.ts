/** The package as npm packs it, unpacked outside the checkout. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { unpackTar } from "modern-tar";
import type { World } from "./cli.ts";

/** Packed in a copy, so that the checkout gets no `dist`. @returns the launcher's path */
export async function packedLauncher(world: World): Promise<string> {
  const copy = world.directory("copy", {});
  const inputs = ["package.json", "tsconfig.json", "tsconfig.build.json", "src", "migrations"];
  for (const name of [...inputs, "api", "docs", "CHANGELOG.md", "LICENSE", "README.md"])
    if (existsSync(name)) cpSync(name, join(copy, name), { recursive: true });
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
  const options = { cwd: copy, env: { ...world.environment }, encoding: "utf8" } as const;
  const name = execFileSync("npm", ["pack", "--silent"], options).trim();
  const files: Record<string, string> = {};
  for (const { header, data } of await unpackTar(gunzipSync(readFileSync(join(copy, name)))))
    if (header.type === "file") files[header.name] = Buffer.from(data ?? []).toString();
  const unpacked = world.directory("unpacked", files);
  symlinkSync(resolve("node_modules"), join(unpacked, "package/node_modules"));
  return join(unpacked, "package/src/launch.js");
}
