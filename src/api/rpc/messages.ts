/** Messages of RPC from and to the data of the contract, field by field by the field's name. */
import { type DescMessage, fromJson, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { z } from "zod";
import { runParameter } from "../../contract/index.ts";
import { errorMessage, Problem } from "../../kernel/index.ts";
import { plain } from "./errors.ts";

/** The request in the contract's form, without the named fields. @throws Problem usage */
export function wireOf<Schema extends DescMessage>(
  schema: Schema,
  request: MessageShape<Schema>,
  ...without: readonly string[]
): object {
  let wire: unknown;
  try {
    wire = toJson(schema, request, { useProtoFieldName: true });
  } catch (cause) {
    throw new Problem("usage", errorMessage(cause), { cause });
  }
  return Object.fromEntries(Object.entries(wire ?? {}).filter(([name]) => !without.includes(name)));
}

/** @throws Problem usage, as in REST */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const details = result.error.issues.map(({ path, message: said }) => ({
    place: path.join("."),
    message: said,
  }));
  const [first] = details;
  throw new Problem("usage", details.map(({ place, message: said }) => `${place}: ${said}`).join("; "), {
    ...(first === undefined ? {} : { place: first.place }),
    details,
  });
}

export function runOf({ run }: { readonly run: string }): string {
  return checked(runParameter, { run }).run;
}

export function numberOf(value: bigint, place: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Problem("usage", `${place} must be a whole number from 0 to 2^53, and it is ${value}.`, {
    place,
  });
}

/** A field that the message does not know is an error: nothing that REST shows is left out here. */
export function message<Schema extends DescMessage>(schema: Schema, wire: object): MessageShape<Schema> {
  return fromJson(schema, plain(wire));
}
