/** Building blocks of the contract. No transform, pipe, date or bigint, so that the OpenAPI document cannot lie. */
import { z } from "zod";
import { failureReasons } from "../domain/index.ts";

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** The TypeScript type of a schema's data, which nobody changes in place. */
export type Wire<Schema extends z.ZodType> = DeepReadonly<z.infer<Schema>>;

export const id = z.string().meta({ format: "uuid", example: "01a20b05-b6ea-7abb-bb20-b3c05e9d7957" });
export const time = z.string().meta({ format: "date-time", example: "2026-11-26T09:11:56.000Z" });
export const nullableTime = time.nullable();
export const count = z.int().min(0);
export const text = z.string();
export const nullableText = text.nullable();
export const reason = z.enum(failureReasons).nullable();
/** An id that a caller sends. Text that is no id names nothing. */
export const givenId = z.string().max(64);
export const givenName = z.string().max(1024);
