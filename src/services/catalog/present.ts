/** Converts rows of the catalog to wire types. */

import type {
  AuditEntry,
  PipelineDetail,
  ProjectDetail,
  RegistryLogin,
  RepositoryDetail,
  SecretDetail,
  TokenDetail,
} from "../../contract/index.ts";
import type {
  AuditRow,
  PipelineSummaryRow,
  ProjectRow,
  RegistryLoginRow,
  RepositoryRow,
  SecretRow,
  TokenRow,
} from "../../store/index.ts";

interface Dated {
  readonly created_at: Date;
  readonly updated_at: Date;
}

function dated<Row extends Dated>({ created_at, updated_at, ...rest }: Row) {
  return { ...rest, created_at: created_at.toISOString(), updated_at: updated_at.toISOString() };
}

export const presentProject = ({ archived_at: _removed, ...row }: ProjectRow): ProjectDetail => dated(row);

export const presentRepository = ({ account_access: _access, ...row }: RepositoryRow): RepositoryDetail =>
  dated(row);

export const presentSecret = (row: SecretRow): SecretDetail => dated(row);

export const presentRegistryLogin = (row: RegistryLoginRow): RegistryLogin => dated(row);

export function presentPipeline({
  archived_at: _removed,
  default_branch: _branch,
  clone_secret: _secret,
  account_access: _access,
  ...row
}: PipelineSummaryRow): PipelineDetail {
  return dated(row);
}

export function presentToken(row: TokenRow): TokenDetail {
  const { created_at, expires_at, revoked_at, ...rest } = row;
  return {
    ...rest,
    created_at: created_at.toISOString(),
    expires_at: expires_at?.toISOString() ?? null,
    revoked_at: revoked_at?.toISOString() ?? null,
  };
}

export function presentAuditEntry(row: AuditRow): AuditEntry {
  const { created_at, by_name, ...rest } = row;
  return { ...rest, at: created_at.toISOString(), by: by_name };
}
