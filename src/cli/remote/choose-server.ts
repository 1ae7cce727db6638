/**
 * Which server a command speaks to. What is said now (`--server`, `--token`, their variables) comes before what was said
 * at `login`, that before the server that runs on this data directory; where there is none of these, the command looks
 * into the data directory itself.
 */
import { Problem } from "../../kernel/index.ts";
import type { CommandContext } from "../context.ts";
import { readLogin } from "./login-file.ts";

export interface ChosenServer {
  readonly server: string;
  readonly token: string;
}

export async function chooseServer({
  deps,
  server,
  token,
  configFile,
}: CommandContext): Promise<ChosenServer | null> {
  const { environment } = deps;
  const named = server ?? environment.SHIPINATOR_SERVER ?? null;
  const given = token ?? environment.SHIPINATOR_TOKEN ?? null;
  const login = named === "local" ? null : await readLogin(deps);
  const here = async () => await deps.findServer({ configFile });
  if (named === null || named === "local") {
    if (login !== null) return { server: login.server, token: given ?? login.token };
    const found = await here();
    return found === null ? null : { server: found.url, token: given ?? found.token };
  }
  const address = checkServer(named);
  if (given !== null) return { server: address, token: given };
  if (login?.server === address) return { server: address, token: login.token };
  const found = await here();
  if (found?.url === address) return { server: address, token: found.token };
  throw new Problem("usage", `there is no token for the server ${address}`, {
    remedy: "Give one with --token or SHIPINATOR_TOKEN, or keep one with: shipinator login",
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
    throw new Problem("usage", `${JSON.stringify(text)} is no address of a server`, {
      remedy: "Give it as https://ci.example.",
    });
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}
