/** `shipinator token create|list|revoke`. */
import type { Scope } from "../../domain/index.ts";
import type { Client, TokenCreated, TokenDetail } from "../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../context.ts";
import { EXIT } from "../errors.ts";
import { placeOptions } from "../printed.ts";
import { withReader } from "../session.ts";
import { formatAge } from "../terminal/format.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import { renderTable } from "../terminal/table.ts";
import { projectOf } from "./project-of.ts";
import { timeOf } from "./time-argument.ts";

export interface CreateTokenArguments {
  readonly name: string;
  readonly scope: Scope;
  /** A project's name; null: all. */
  readonly project: string | null;
  /** A time, or how long from now: `90d`. */
  readonly expires: string | null;
  /** The file that gets it, for its owner alone; null: standard output. */
  readonly to: string | null;
  readonly existing: "never" | "replace";
}

/** Writes the token, and nothing else, to the file or to standard output. */
export async function createTokenCommand(
  context: CommandContext,
  args: CreateTokenArguments,
): Promise<number> {
  return await withReader(context, async (session) => {
    const { client } = session;
    const project_id = args.project === null ? null : (await projectOf(client, args.project, "a token")).id;
    const { name, scope } = args;
    const expires_at =
      args.expires === null
        ? null
        : timeOf(args.expires, { option: "--expires", now: context.deps.clock.now(), direction: "ahead" });
    const create = () => client.tokens.create({ name, scope, project_id, expires_at });
    const options = await placeOptions(context, session);
    if (args.to === null) await show(context, await create(), options);
    else await keep(context, { client, create, options, path: args.to, existing: args.existing });
    return EXIT.done;
  });
}

async function show(context: CommandContext, made: TokenCreated, options: string): Promise<void> {
  if (asData(context)) return await writeData(context, made);
  context.out.write(`${made.token}\n`);
  note(context, `this is shown once; revoke it with: shipinator token revoke ${made.id}${options}`);
}

interface Keeping {
  readonly client: Client;
  readonly create: () => Promise<TokenCreated>;
  /** The options of the command that is shown. */
  readonly options: string;
  readonly path: string;
  readonly existing: "never" | "replace";
}

/** Opens the file before the token is made; revokes a token that the file cannot keep. */
async function keep(
  context: CommandContext,
  { client, create, options, path, existing }: Keeping,
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
        `the token is kept in ${sanitizeName(path)}; revoke it with: shipinator token revoke ${made.id}${options}\n`,
      );
  } finally {
    await file.discard();
  }
}

export async function listTokensCommand(context: CommandContext, limit: number): Promise<number> {
  const { deps, out, style } = context;
  return await withReader(context, async ({ client }) => {
    const { items } = await client.tokens.list({ limit });
    const now = deps.clock.now();
    const when = (time: string | null) => (time === null ? "-" : out.isTTY ? formatAge(time, now) : time);
    if (asData(context)) await writeData(context, items);
    else if (items.length === 0) note(context, "no tokens yet; this makes one: shipinator token create NAME");
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
            { header: "MADE", narrow: "left out", text: ({ created_at }) => when(created_at) },
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
      return expires_at !== null && new Date(expires_at) <= now ? "expired" : "holds";
    }
  });
}

export async function revokeTokenCommand(context: CommandContext, id: string): Promise<number> {
  const { out } = context;
  return await withReader(context, async ({ client }) => {
    const revoked = await client.tokens.revoke(id);
    if (asData(context)) await writeData(context, revoked);
    else out.write(`token ${sanitizeName(revoked.name)} holds no more\n`);
    return EXIT.done;
  });
}
