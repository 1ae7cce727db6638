/** Authentication of a server: tokens are remembered for a moment, and forgotten when a revocation is heard. */
import type { Clock, Logger } from "../../kernel/index.ts";
import { type ConnectionSettings, createListener, type Listener, tokenChannel } from "../../store/index.ts";
import type { OpenDatabase } from "../deps.ts";
import { type Authenticator, createAuthenticator } from "./authenticate.ts";

export interface Authentication extends Pick<Authenticator, "authenticate"> {
  /**
   * Begins to listen on a connection of its own, for the caller to stop. Before that, and while the connection is down,
   * nothing is remembered and every request asks the database.
   * @param others what else is to be heard on that connection
   */
  listen(
    connection: ConnectionSettings,
    others: Readonly<Record<string, (payload: string) => void>>,
  ): Listener;
}

export interface AuthenticationDeps {
  readonly database: () => Promise<Pick<OpenDatabase, "store">>;
  readonly clock: Clock;
  readonly log: Logger;
}

export function openAuthentication({ database, clock, log }: AuthenticationDeps): Authentication {
  let hears = () => false;
  const authenticator = createAuthenticator({
    tokens: async () => (await database()).store.tokens,
    hears: () => hears(),
    clock,
  });
  return {
    authenticate: authenticator.authenticate,
    listen(settings, others) {
      const listener = createListener({
        settings,
        channels: { ...others, [tokenChannel]: authenticator.forget },
        onUp: authenticator.forgetAll,
        clock,
        log,
      });
      hears = listener.isUp;
      listener.start();
      return listener;
    },
  };
}
