/** `shipinator login SERVER` keeps the address and a token for the commands that follow; `shipinator logout` removes them. */
import { Problem } from "../../kernel/index.ts";
import { type CommandContext, note } from "../context.ts";
import { EXIT } from "../errors.ts";
import { namedAuthorities, readAuthorities } from "../remote/authorities.ts";
import { checkServer } from "../remote/choose-server.ts";
import { readLogin, removeLogin, writeLogin } from "../remote/login-file.ts";
import { createTransport } from "../remote/transport.ts";
import { sanitizeName } from "../terminal/sanitize.ts";

const TOKEN_LIMIT = 4_096;

export async function loginCommand(context: CommandContext, address: string): Promise<number> {
  const { deps, out } = context;
  const server = checkServer(address);
  if (deps.stderr.isTTY) deps.stderr.write("the token, then Enter and Ctrl-D: ");
  const token = new TextDecoder().decode(await deps.readStdin(TOKEN_LIMIT)).trim();
  if (!/^[\x21-\x7e]{1,512}$/.test(token))
    throw new Problem("usage", "standard input holds no token", {
      remedy: "For example: shipinator login https://ci.example < token-file",
    });
  // Asked before it is kept: a token that does not hold helps nobody later.
  const connection = { socket: null, authorities: await readAuthorities(context, null) };
  const transport = createTransport({ server, token, clock: deps.clock, connection });
  await transport.json("GET", "/v1/projects?limit=1").catch((error: unknown) => {
    throw error instanceof Problem && error.code === "unauthorized" ? noSuchToken(server) : error;
  });
  const path = await writeLogin(deps, { server, token, caFile: namedAuthorities(context) });
  out.write(`logged in to ${sanitizeName(server)}; the token is kept in ${sanitizeName(path)}\n`);
  return EXIT.done;
}

function noSuchToken(server: string): Problem {
  return new Problem("unauthorized", `${server} does not know this token, or it has expired or was revoked`, {
    remedy: "On the server's machine this makes one: shipinator token create NAME --scope trigger",
  });
}

export async function logoutCommand(context: CommandContext): Promise<number> {
  const { deps, out } = context;
  // What cannot be read is removed as well.
  const login = await readLogin(deps).catch(() => ({ server: "a server whose name cannot be read" }));
  if (login === null) note(context, "nobody is logged in");
  else {
    await removeLogin(deps);
    out.write(`logged out of ${sanitizeName(login.server)}\n`);
    note(
      context,
      "the token itself holds until it expires or an admin revokes it: shipinator token revoke ID",
    );
  }
  return EXIT.done;
}
