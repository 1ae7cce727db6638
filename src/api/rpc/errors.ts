/** Problems as errors of RPC: a code of theirs, and the whole problem as detail. */
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { Problem, problems } from "../../kernel/index.ts";
import { ProblemSchema } from "./generated/shipinator.ts";

const codes: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  408: Code.DeadlineExceeded,
  // No later try changes it.
  409: Code.FailedPrecondition,
  410: Code.FailedPrecondition,
  413: Code.ResourceExhausted,
  416: Code.OutOfRange,
  422: Code.InvalidArgument,
  429: Code.ResourceExhausted,
  500: Code.Internal,
  503: Code.Unavailable,
  507: Code.ResourceExhausted,
};

/** Passes errors of RPC itself through. */
export function toConnectError(error: unknown, requestId: string): ConnectError {
  if (error instanceof ConnectError) return error;
  const problem = Problem.from(error);
  const { code, status, remedy, place, details } = problem;
  // As in REST: what nobody foresaw stands in the server's log alone.
  const detail =
    code === "internal" ? "The server failed. Its log has more under the request's id." : problem.message;
  const described = create(ProblemSchema, {
    code,
    title: problems[code][2],
    detail,
    requestId,
    status,
    ...(remedy === undefined ? {} : { remedy }),
    ...(place === undefined ? {} : { place }),
    ...(details === undefined || code === "internal"
      ? {}
      : { details: fromJson(ValueSchema, plain(details)) }),
  });
  return new ConnectError(detail, codes[status] ?? Code.Unknown, undefined, [
    { desc: ProblemSchema, value: described },
  ]);
}

/** The value as JSON would have it. */
export function plain(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value ?? null));
}
