/** The certificates of authorities that a person trusts for one server. */
import { X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { CommandContext } from "../context.ts";

const maxBytes = 1_048_576;

/** The absolute path that `--ca-file` or `SHIPINATOR_CA_FILE` names; null: neither does. */
export function namedAuthorities({ deps, caFile }: CommandContext): string | null {
  const path = caFile ?? deps.environment.SHIPINATOR_CA_FILE ?? "";
  return path === "" ? null : resolve(deps.cwd, path);
}

/**
 * Reads the file that the command names, else the one that `login` has remembered.
 * @returns PEM; null: the machine's authorities alone
 * @throws Problem usage, not_found: it cannot be read, or holds no certificate
 */
export async function readAuthorities(
  context: CommandContext,
  remembered: string | null,
): Promise<string | null> {
  const path = namedAuthorities(context) ?? remembered;
  if (path === null) return null;
  const text = new TextDecoder().decode(await context.deps.files.read(path, maxBytes));
  try {
    new X509Certificate(text);
  } catch (cause) {
    throw new Problem("usage", `${path} holds no certificate.`, {
      remedy: "Name a PEM file with the certificate of the authority: --ca-file FILE or SHIPINATOR_CA_FILE.",
      cause,
    });
  }
  return text;
}
