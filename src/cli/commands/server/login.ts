/** `shipinator login SERVER` stores an address and a token; `shipinator logout` removes them. */
import { Problem } from "../../../kernel/index.ts";
import { type CommandContext, note } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { namedAuthorities, readAuthorities } from "../../remote/authorities.ts";
import { checkServer } from "../../remote/choose-server.ts";
import { readLogin, removeLogin, writeLogin } from "../../remote/login-file.ts";
import { createTransport } from "../../remote/transport.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";

const TOKEN_LIMIT = 4_096;

export async function loginCommand(context: CommandContext, address: string): Promise<number> {
  const { deps, out } = context;
  const server = checkServer(address);
  if (deps.stderr.isTTY) deps.stderr.write("Token, then Enter and Ctrl-D: ");
  const token = new TextDecoder().decode(await deps.readStdin(TOKEN_LIMIT)).trim();
  if (!/^[\x21-\x7e]{1,512}$/.test(token))
    throw new Problem("usage", "Standard input contains no token.", {
      remedy: "Redirect a token file, such as: shipinator login https://ci.example < token-file",
    });
  // Only a valid token is stored.
  const connection = { socket: null, authorities: await readAuthorities(context, null) };
  const transport = createTransport({ server, token, clock: deps.clock, connection });
  await transport.json("GET", "/v1/projects?limit=1").catch((error: unknown) => {
    throw error instanceof Problem && error.code === "unauthorized" ? noSuchToken(server) : error;
  });
  const path = await writeLogin(deps, { server, token, caFile: namedAuthorities(context) });
  out.write(`Logged in to ${sanitizeName(server)}. The token is stored in ${sanitizeName(path)}.\n`);
  return EXIT.done;
}

function noSuchToken(server: string): Problem {
  return new Problem(
    "unauthorized",
    `${server} does not accept this token. It is unknown, expired or revoked.`,
    {
      remedy: "Create one on the server's machine with: shipinator token create NAME --scope trigger",
    },
  );
}

export async function logoutCommand(context: CommandContext): Promise<number> {
  const { deps, out } = context;
  // An unreadable login is removed too.
  const login = await readLogin(deps).catch(() => ({ server: "an unknown server" }));
  if (login === null) note(context, "There is no login.");
  else {
    await removeLogin(deps);
    out.write(`Logged out of ${sanitizeName(login.server)}.\n`);
    note(
      context,
      "The token stays valid until it expires. An admin can revoke it with: shipinator token revoke ID",
    );
  }
  return EXIT.done;
}
