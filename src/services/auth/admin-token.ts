/**
 * The first token of a server: an admin's, kept in a file that the owner of the data directory alone reads. Row and file
 * are made under one lock, the file before the commit: a crash between them leaves a file that opens nothing, and the
 * next start makes both anew.
 */
import { newId, type TokenId } from "../../kernel/index.ts";
import type { TokenMatch, TokenStore } from "../../store/index.ts";
import { readTokenFile, writeTokenFile } from "./token-file.ts";
import { hashSecret, newSecret } from "./token-secret.ts";

export interface AdminTokenFile {
  /** Absolute: `<data directory>/admin-token`. */
  readonly file: string;
  /** This machine's name: servers of one database have files of their own, at the same path perhaps. */
  readonly host: string;
  /** Of this process. */
  readonly uid: number;
}

/** The token in the file; null where there is none. @throws Problem data_dir_unusable: others can read it */
export function readAdminToken(file: string): string | null {
  return readTokenFile(file, null);
}

/**
 * Sees to it that the file holds a token of an admin of all projects. One that is absent, was changed, or whose token is
 * revoked or expired gets a new token, and the one that was made for it before is revoked.
 * @throws Problem data_dir_unusable when others may read the file, or it cannot be written
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
