/** Tokens, secrets, registry logins, the caller and the audit. */
import { z } from "zod";
import { scopes } from "../domain/index.ts";
import { givenId, givenName, id, nullableText, nullableTime, text, time, type Wire } from "./fields.ts";

const scope = z.enum(scopes);
const tokenFields = {
  id,
  name: text,
  scope,
  project_id: id.nullable(),
  project: nullableText,
  created_by: text,
  created_at: time,
  expires_at: nullableTime,
  revoked_at: nullableTime,
};
/** A token without its secret. `project` null: all projects. */
export const token = z.object(tokenFields).meta({ id: "Token" });
export type TokenDetail = Wire<typeof token>;

export const tokenCreated = z
  .object({ ...tokenFields, token: text })
  .meta({ id: "TokenCreated", description: "The only time that the token itself is shown." });
export type TokenCreated = Wire<typeof tokenCreated>;

/** `expires_at` null or absent: it does not expire. */
export const newToken = z.strictObject({
  name: givenName,
  scope,
  project_id: givenId.nullable().optional(),
  expires_at: z.string().max(64).nullable().optional(),
});
export type NewToken = Wire<typeof newToken>;

const kept = { created_by: text, created_at: time, updated_at: time };
export const secret = z
  .object({ project_id: id, name: text, ...kept })
  .meta({ id: "Secret", description: "Without its value, which is shown to nobody." });
export type SecretDetail = Wire<typeof secret>;

export const newSecret = z.strictObject({ value: z.string().max(65_536) });
export const secretRotation = z.object({ reencrypted: z.int() });

/** `host` is `host[:port]` in lower case; Docker Hub is `registry-1.docker.io`. */
export const registryLogin = z
  .object({ project_id: id, host: text, username: text, secret: text, ...kept })
  .meta({
    id: "RegistryLogin",
    description: "Names the secret that is the password; it is shown to nobody.",
  });
export type RegistryLogin = Wire<typeof registryLogin>;

export const newRegistryLogin = z.strictObject({
  username: z.string().max(256),
  secret: z.string().max(128),
});
export type NewRegistryLogin = Wire<typeof newRegistryLogin>;

/** `name` is the token's, or the account's at the server's own terminal, which has no token. */
export const caller = z
  .object({
    name: text,
    scope,
    project_id: id.nullable(),
    project: nullableText,
    token_id: id.nullable(),
    expires_at: nullableTime,
  })
  .meta({ id: "Caller", description: "`project` null: all projects. `expires_at` null: never." });
export type CallerDetail = Wire<typeof caller>;

export const auditEntry = z
  .object({
    id,
    at: time,
    by: text,
    token_id: id.nullable(),
    action: text,
    project_id: id.nullable(),
    entity_id: nullableText,
    outcome: z.enum(["done", "refused", "failed"]),
    request_id: nullableText,
  })
  .meta({ id: "AuditEntry" });
export type AuditEntry = Wire<typeof auditEntry>;
