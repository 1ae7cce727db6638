/** `shipinator token create|list|revoke`. */
import type { Scope } from "../../../domain/index.ts";
import type { Client, TokenCreated, TokenDetail } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { locationOptions } from "../../suggested-arguments.ts";
import { formatAge } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { renderTable } from "../../terminal/table.ts";
import { findProject } from "../catalog/find-project.ts";
import { parseTime } from "../runs/parse-time.ts";

export interface CreateTokenArguments {
  readonly name: string;
  readonly scope: Scope;
  /** Name of a project, or null for all. */
  readonly project: string | null;
  /** A time, or a duration from now such as `90d`. */
  readonly expires: string | null;
  /** File for the token, or null for standard output. */
  readonly to: string | null;
  readonly existing: "never" | "replace";
}

/** Creates a token and writes only the token to the file or to standard output. */
export async function createTokenCommand(
  context: CommandContext,
  args: CreateTokenArguments,
): Promise<number> {
  return await withClient(context, async (session) => {
    const { client } = session;
    const project_id = args.project === null ? null : (await findProject(client, args.project, "A token")).id;
    const { name, scope } = args;
    const expires_at =
      args.expires === null
        ? null
        : parseTime(args.expires, { option: "--expires", now: context.deps.clock.now(), direction: "ahead" });
    const create = () => client.tokens.create({ name, scope, project_id, expires_at });
    const options = await locationOptions(context, session);
    if (args.to === null) await printToken(context, await create(), options);
    else await saveToken(context, { client, create, options, path: args.to, existing: args.existing });
    return EXIT.done;
  });
}

async function printToken(context: CommandContext, made: TokenCreated, options: string): Promise<void> {
  if (asData(context)) return await writeData(context, made);
  context.out.write(`${made.token}\n`);
  note(context, `The token is shown once. Revoke it with: shipinator token revoke ${made.id}${options}`);
}

interface SaveOptions {
  readonly client: Client;
  readonly create: () => Promise<TokenCreated>;
  /** Options of the suggested command. */
  readonly options: string;
  readonly path: string;
  readonly existing: "never" | "replace";
}

/** Opens the file before it creates the token, and revokes a token that cannot be written. */
async function saveToken(
  context: CommandContext,
  { client, create, options, path, existing }: SaveOptions,
): Promise<void> {
  const { deps, out } = context;
  const file = await deps.files.create({ path, overwrite: existing, mode: 0o600 });
  try {
    const { token, ...made } = await create();
    try {
      await file.write(Buffer.from(`${token}\n`));
      await file.commit();
    } catch (error) {
      await client.tokens.revoke(made.id);
      throw error;
    }
    if (asData(context)) await writeData(context, made);
    else
      out.write(
        `The token is stored in ${sanitizeName(path)}. Revoke it with: shipinator token revoke ${made.id}${options}\n`,
      );
  } finally {
    await file.discard();
  }
}

export async function listTokensCommand(context: CommandContext, limit: number): Promise<number> {
  const { deps, out, style } = context;
  return await withClient(context, async ({ client }) => {
    const { items } = await client.tokens.list({ limit });
    const now = deps.clock.now();
    const when = (time: string | null) => (time === null ? "-" : out.isTTY ? formatAge(time, now) : time);
    if (asData(context)) await writeData(context, items);
    else if (items.length === 0)
      note(context, "There are no tokens yet. Create one with: shipinator token create NAME");
    else
      out.write(
        renderTable<TokenDetail>(
          [
            { header: "NAME", shrinkTo: 8, text: ({ name }) => sanitizeName(name) },
            { header: "SCOPE", text: ({ scope }) => scope },
            {
              header: "PROJECT",
              shrinkTo: 8,
              text: ({ project }) => (project === null ? "all" : sanitizeName(project)),
            },
            { header: "STATE", text: stateOf },
            { header: "CREATED", whenNarrow: "hidden", text: ({ created_at }) => when(created_at) },
            { header: "EXPIRES", text: ({ expires_at }) => expires_at ?? "-" },
            { header: "ID", text: ({ id }) => id },
          ],
          items,
          { style, width: out.isTTY ? out.columns : null },
        ),
      );
    return EXIT.done;

    function stateOf({ revoked_at, expires_at }: TokenDetail): string {
      if (revoked_at !== null) return "revoked";
      return expires_at !== null && new Date(expires_at) <= now ? "expired" : "valid";
    }
  });
}

export async function revokeTokenCommand(context: CommandContext, id: string): Promise<number> {
  const { out } = context;
  return await withClient(context, async ({ client }) => {
    const revoked = await client.tokens.revoke(id);
    if (asData(context)) await writeData(context, revoked);
    else out.write(`Revoked token ${sanitizeName(revoked.name)}.\n`);
    return EXIT.done;
  });
}
