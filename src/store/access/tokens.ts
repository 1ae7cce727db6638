/** Tokens: who may ask for what. The secret is known to its holder alone; here is its SHA-256. */
import type { Scope } from "../../domain/index.ts";
import { Problem, type ProjectId, type TokenId } from "../../kernel/index.ts";
import type { Database, Queryable } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { refuseUnstorable, storableText } from "../db/text.ts";
import type { TokenRow } from "../rows.ts";
import { type NewAuditEntry, withAudit } from "./audit.ts";

export interface NewToken {
  readonly id: TokenId;
  readonly name: string;
  /** SHA-256 of the secret: 32 bytes. */
  readonly hash: Uint8Array;
  readonly scope: Scope;
  readonly projectId: ProjectId | null;
  readonly createdBy: string;
  readonly expiresAt: Date | null;
}

/** A token as it is looked up for a request. */
export interface TokenMatch {
  readonly id: TokenId;
  readonly name: string;
  readonly hash: Uint8Array;
  readonly scope: Scope;
  readonly project_id: ProjectId | null;
  /** Until it expires, by the database's clock; null: never. Zero or less: it has. */
  readonly expires_in_ms: number | null;
  readonly revoked: boolean;
}

export interface TokenStore {
  /**
   * A repeated creation is refused: the secret was shown the first time and is stored nowhere.
   * @throws Problem conflict: the id is there
   */
  create(token: NewToken, audit?: NewAuditEntry): Promise<TokenRow>;
  /** Finds a token by one prepared, indexed read, cheap enough for every request. Also finds expired and revoked tokens. */
  match(hash: Uint8Array): Promise<TokenMatch | null>;
  get(id: TokenId): Promise<TokenRow | null>;
  /** Lists the tokens of one project, or all. */
  list(filter?: { readonly projectId?: ProjectId }, page?: PageRequest): Promise<Page<TokenRow>>;
  /**
   * Revokes the token; doing it again changes nothing. Null: no such token. The commit notifies the change feed.
   */
  revoke(id: TokenId, audit?: NewAuditEntry): Promise<TokenRow | null>;
  /** Lets one process at a time see to the token of a file; what it did is committed when `body` resolves. */
  ofFile<T>(file: string, body: (tokens: FileTokens) => Promise<T>): Promise<T>;
}

export interface FileTokens {
  match(hash: Uint8Array): Promise<TokenMatch | null>;
  /** Revokes all tokens of the file but that one. */
  keep(id: TokenId): Promise<void>;
  /** Revokes all tokens of the file and makes this one for it. */
  replace(token: NewToken): Promise<void>;
}

const columns = `row.id, row.name, row.scope, row.project_id,
  (select p.name from projects p where p.id = row.project_id) as project, row.created_by, row.created_at, row.expires_at,
  row.revoked_at`;

export function createTokenStore(database: Database): TokenStore {
  const get = async (id: TokenId) => {
    const rows = await database.query<TokenRow>(`select ${columns} from tokens row where row.id = $1::uuid`, [
      id,
    ]);
    return rows[0] ?? null;
  };
  return {
    create: (token, audit) => withAudit(database, audit, (queryable) => insert(queryable, token, null)),
    match: (hash) => match(database, hash),
    get,
    list: ({ projectId } = {}, page = {}) =>
      readPage<TokenRow>(
        database,
        {
          columns,
          from: "tokens row",
          where: projectId === undefined ? [] : ["row.project_id = $1::uuid"],
          values: projectId === undefined ? [] : [projectId],
        },
        page,
      ),
    async revoke(id, audit) {
      await withAudit(database, audit, (queryable) =>
        queryable.execute(
          "update tokens t set revoked_at = now() where t.id = $1::uuid and t.revoked_at is null",
          [id],
        ),
      );
      return await get(id);
    },
    ofFile: (file, body) =>
      database.transaction(async (transaction) => {
        await transaction.execute(
          "select pg_advisory_xact_lock(hashtextextended('token of ' || $1::text, 0))",
          [file],
        );
        const revokeAllBut = (id: TokenId) =>
          transaction.execute(
            `update tokens t set revoked_at = now()
             where t.file = $1::text and t.revoked_at is null and t.id <> $2::uuid`,
            [file, id],
          );
        return await body({
          match: (hash) => match(transaction, hash),
          async keep(id) {
            await revokeAllBut(id);
          },
          async replace(token) {
            await revokeAllBut(token.id);
            await insert(transaction, token, file);
          },
        });
      }),
  };
}

async function match(queryable: Queryable, hash: Uint8Array): Promise<TokenMatch | null> {
  const rows = await queryable.query<TokenMatch>(
    `select t.id, t.name, t.hash, t.scope, t.project_id, t.revoked_at is not null as revoked,
       (extract(epoch from t.expires_at - now()) * 1000)::float8 as expires_in_ms
     from tokens t where t.hash = $1::bytea`,
    [Buffer.from(hash)],
    { name: "tokens.match" },
  );
  return rows[0] ?? null;
}

async function insert(queryable: Queryable, token: NewToken, file: string | null): Promise<TokenRow> {
  const { id, name, hash, scope, projectId, createdBy, expiresAt } = token;
  refuseUnstorable(name, "name");
  const [made] = await queryable.query<TokenRow>(
    `insert into tokens as row (id, name, hash, scope, project_id, file, created_by, expires_at)
     values ($1::uuid, $2::text, $3::bytea, $4::text, $5::uuid, $6::text, $7::text, $8::timestamptz)
     on conflict (id) do nothing
     returning ${columns}`,
    [id, name, Buffer.from(hash), scope, projectId, file, storableText(createdBy), expiresAt],
  );
  if (made !== undefined) return made;
  throw new Problem(
    "conflict",
    `There is a token ${id} already, and its secret was shown when it was made.`,
    {
      place: "id",
      remedy: "Revoke it and make another one.",
    },
  );
}
