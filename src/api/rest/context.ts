/** Dependencies of the routes, and their settings beside the schema. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawServerDefault,
} from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Problem } from "../../kernel/index.ts";
import type { CallbackClient, Client, Operation } from "../../services/index.ts";
import type { LoginLimit } from "../http/login-limit.ts";

/** `open`: for everybody; `execution`: for the holder of its token; else the operation whose scope it needs. */
export type Access = "open" | "execution" | Operation;

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
    /** The handler reads the body, and cares for its pace. */
    body?: "stream";
  }
  interface FastifyRequest {
    /** The caller's; only behind the authorization. */
    client: Client;
    /** Operations on the execution in the path; only where the access is `execution`. */
    callbacks: CallbackClient;
    /** Owner of the Idempotency-Keys. */
    callerKey: string;
    /** The caller's token. */
    credential: string;
    /** Id of what the request makes. */
    resourceId: string | undefined;
  }
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface Streams {
  readonly count: number;
  /** A place among the streams, of RPC too; the function gives it back. @throws Problem too_many_requests, unavailable */
  admit(caller: string): () => void;
  /** Ends with the client, with the server's stop, or when the reader does not read. */
  open(request: FastifyRequest, reply: FastifyReply): EventStream;
}

export interface StreamMessage {
  readonly event?: string;
  readonly id?: string;
  readonly data: unknown;
}

export interface EventStream {
  readonly signal: AbortSignal;
  /** Resolves when the reader can take more. */
  send(message: StreamMessage): Promise<void>;
  /** The same for messages as they are on the wire, which many streams may share; about 64 KiB at most. */
  sendText(text: string): Promise<void>;
  end(): void;
}

export interface RouteContext {
  readonly streams: Streams;
  readonly version: string;
  /** The reason why requests are not to be sent here yet, or null. */
  unreadyReason(): Promise<Problem | null>;
  metrics(): Promise<{ readonly type: string; readonly text: string }>;
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

export interface RestContext extends RouteContext {
  readonly logins: LoginLimit;
  /** The body may take longer than others. */
  liftDeadline(request: object): void;
}
