/** The server that a person has logged in to, and the token, in a file that nobody else reads. */
import { join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { CliDeps } from "../deps.ts";

export interface Login {
  readonly server: string;
  readonly token: string;
  /** Absolute path of a PEM file; null: the machine's authorities are enough. */
  readonly caFile: string | null;
}

type Deps = Pick<CliDeps, "environment" | "files">;

const maxBytes = 65_536;

function directoryOf({ environment }: Deps): string | null {
  const { XDG_CONFIG_HOME: config, HOME: home } = environment;
  if (config?.startsWith("/")) return join(config, "shipinator");
  return home?.startsWith("/") ? join(home, ".config/shipinator") : null;
}

/** Also a file that cannot be read as a login. */
export async function removeLogin(deps: Deps): Promise<void> {
  const directory = directoryOf(deps);
  if (directory !== null) await deps.files.remove(join(directory, "login.json"));
}

/** @returns null where nobody has logged in */
export async function readLogin(deps: Deps): Promise<Login | null> {
  const directory = directoryOf(deps);
  if (directory === null) return null;
  const path = join(directory, "login.json");
  if ((await deps.files.kind(path)) === "absent") return null;
  const text = new TextDecoder().decode(await deps.files.read(path, maxBytes));
  const value: unknown = parsed(text);
  if (
    typeof value === "object" &&
    value !== null &&
    "server" in value &&
    "token" in value &&
    typeof value.server === "string" &&
    typeof value.token === "string"
  )
    return {
      server: value.server,
      token: value.token,
      caFile: "caFile" in value && typeof value.caFile === "string" ? value.caFile : null,
    };
  throw new Problem("usage", `${path} is not what login has written.`, {
    remedy: "Remove it with shipinator logout, and log in again: shipinator login SERVER",
  });
}

/** @returns the file's path */
export async function writeLogin(deps: Deps, login: Login): Promise<string> {
  const directory = directoryOf(deps);
  if (directory === null)
    throw new Problem("usage", "There is no home directory to keep the token in.", {
      remedy: "Use --server and --token, or SHIPINATOR_SERVER and SHIPINATOR_TOKEN.",
    });
  await deps.files.makeDirectory(directory);
  const path = join(directory, "login.json");
  const file = await deps.files.create({ path, overwrite: "replace", mode: 0o600 });
  try {
    await file.write(Buffer.from(`${JSON.stringify(login, null, 2)}\n`));
    await file.commit();
  } finally {
    await file.discard();
  }
  return path;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
