/** The answers that a route can give, for the document: its own, and the problems that every route may answer with. */
import type { z } from "zod";
import { problem } from "../../contract/index.ts";

type Answer = z.ZodType | { readonly description: string; readonly content: unknown };

const described = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: problem } },
});

/** An answer in one of several forms. */
export function forms(description: string, schemas: Readonly<Record<string, z.ZodType>>): Answer {
  const content = Object.entries(schemas).map(([type, schema]) => [type, { schema }] as const);
  return { description, content: Object.fromEntries(content) };
}

/** Adds the problems that every route may answer with. */
export function answers(ok: Readonly<Record<number, Answer>>): Readonly<Record<string, Answer>> {
  return {
    ...ok,
    "4xx": described("The request is refused; the code says why."),
    "5xx": described("The server could not do it."),
  };
}
