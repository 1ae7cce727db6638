/**
 * First token of a server, for an admin, in a file that only the owner of the data directory can read. Row and file are
 * written under one lock, the file before the commit. A crash in between leaves an invalid token, which the next start
 * replaces.
 */
import { newId, type TokenId } from "../../kernel/index.ts";
import type { TokenMatch, TokenStore } from "../../store/index.ts";
import { readTokenFile, writeTokenFile } from "./token-file.ts";
import { hashSecret, newSecret } from "./token-secret.ts";

export interface AdminTokenFile {
  /** Absolute path, `<data directory>/admin-token`. */
  readonly file: string;
  /** Name of this machine, because servers of one database have their own files, perhaps at the same path. */
  readonly host: string;
  /** Uid of this process. */
  readonly uid: number;
}

/** Reads the token. Null if there is none. @throws Problem data_dir_unusable: others can read the file */
export function readAdminToken(file: string): string | null {
  return readTokenFile(file, null);
}

/**
 * Ensures that the file has a valid admin token for all projects. If it is absent, changed, revoked or expired, writes a
 * new token and revokes the file's previous one.
 * @throws Problem data_dir_unusable: others can read the file, or it cannot be written
 */
export async function ensureAdminToken(
  tokens: Pick<TokenStore, "ofFile">,
  { file, host, uid }: AdminTokenFile,
): Promise<"kept" | "made"> {
  return await tokens.ofFile(`${host}:${file}`, async (own) => {
    const held = readTokenFile(file, uid);
    const match = held === null ? null : await own.match(hashSecret(held));
    if (match !== null && isAdmin(match)) {
      await own.keep(match.id);
      return "kept";
    }
    const secret = newSecret();
    writeTokenFile(file, secret);
    await own.replace({
      id: newId<TokenId>(),
      name: "admin",
      hash: hashSecret(secret),
      scope: "admin",
      projectId: null,
      createdBy: "serve",
      expiresAt: null,
    });
    return "made";
  });
}

function isAdmin({ scope, project_id, revoked, expires_in_ms: left }: TokenMatch): boolean {
  return scope === "admin" && project_id === null && !revoked && (left === null || left > 0);
}
