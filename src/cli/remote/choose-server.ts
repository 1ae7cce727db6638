/**
 * Which server a command speaks to. What is said now (`--server`, `--token`, their variables) comes before what was said
 * at `login`, that before the server that runs on this data directory; where there is none of these, the command looks
 * into the data directory itself.
 */
import { Problem, withoutTrailing } from "../../kernel/index.ts";
import type { CommandContext } from "../context.ts";
import { readAuthorities } from "./authorities.ts";
import type { Connection } from "./exchange.ts";
import { readLogin } from "./login-file.ts";

export interface ChosenServer {
  readonly server: string;
  readonly token: string;
  readonly connection: Connection;
}

export async function chooseServer(context: CommandContext): Promise<ChosenServer | null> {
  const { deps, server, token, configFile } = context;
  const { environment } = deps;
  const named = server ?? environment.SHIPINATOR_SERVER ?? null;
  const given = token ?? environment.SHIPINATOR_TOKEN ?? null;
  const login = named === "local" ? null : await readLogin(deps);
  const here = async () => await deps.findServer({ configFile });
  const bySocket = async (socket: string | null): Promise<Connection> =>
    socket === null ? await byAddress(null) : { socket, authorities: null };
  const byAddress = async (path: string | null): Promise<Connection> => ({
    socket: null,
    authorities: await readAuthorities(context, path),
  });
  if (named === null || named === "local") {
    if (login !== null)
      return {
        server: login.server,
        token: given ?? login.token,
        connection: await byAddress(login.caFile),
      };
    const found = await here();
    if (found === null) return null;
    return { server: found.url, token: given ?? found.token, connection: await bySocket(found.socket) };
  }
  const address = checkServer(named);
  const caFile = login?.server === address ? login.caFile : null;
  if (given !== null) return { server: address, token: given, connection: await byAddress(caFile) };
  if (login?.server === address)
    return { server: address, token: login.token, connection: await byAddress(caFile) };
  const found = await here();
  if (found?.url === address)
    return { server: address, token: found.token, connection: await bySocket(found.socket) };
  throw new Problem("usage", `There is no token for the server ${address}.`, {
    remedy: `Give one with --token or SHIPINATOR_TOKEN, or keep one with: shipinator login ${address}`,
  });
}

/** @throws Problem usage */
export function checkServer(text: string): string {
  const url = URL.parse(text);
  if (
    url === null ||
    (url.protocol !== "https:" && url.protocol !== "http:") ||
    url.username !== "" ||
    url.search !== ""
  )
    throw new Problem("usage", `${JSON.stringify(text)} is no address of a server.`, {
      remedy: "Give it as https://ci.example.",
    });
  return withoutTrailing(`${url.origin}${url.pathname}`, "/");
}
