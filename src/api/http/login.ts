/**
 * A bearer token, of REST and RPC alike: looked at first, and the limit of failures after it, so that nobody is locked out
 * by what others behind his address do.
 */
import { errorCode, Problem } from "../../kernel/index.ts";
import type { LoginLimit } from "./login-limit.ts";

export interface LoginAttempt {
  /** The header `authorization`. */
  readonly header: string | undefined;
  readonly ip: string;
  readonly requestId: string;
}

export interface LoggedIn<Found> {
  readonly credential: string;
  readonly found: Found;
}

/** @throws Problem unauthorized, too_many_requests, and what else `find` throws */
export async function login<Found>(
  { header, ip, requestId }: LoginAttempt,
  logins: LoginLimit,
  find: (token: string, requestId: string) => Promise<Found>,
): Promise<LoggedIn<Found>> {
  try {
    const credential = bearer(header);
    return { credential, found: await find(credential, requestId) };
  } catch (error) {
    if (errorCode(error) !== "unauthorized") throw error;
    const wait = logins.failed(ip);
    if (wait === null) throw error;
    throw new Problem("too_many_requests", "Too many requests from this address had no valid token.", {
      remedy: `Wait ${wait} s, then send a token that is neither expired nor revoked.`,
      details: { retry_after: wait },
    });
  }
}

function bearer(header: string | undefined): string {
  const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(header ?? "")?.[1];
  if (token !== undefined) return token;
  throw new Problem(
    "unauthorized",
    header === undefined ? "The request has no token." : "The Authorization header holds no bearer token.",
    {
      remedy: "Send the header Authorization: Bearer TOKEN.",
    },
  );
}
