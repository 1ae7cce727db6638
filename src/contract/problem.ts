import { z } from "zod";
import { text, type Wire } from "./fields.ts";

export const problem = z
  .object({
    type: text,
    title: text,
    status: z.int(),
    detail: text,
    code: text,
    remedy: text.optional(),
    place: text.optional(),
    details: z.unknown().optional(),
    instance: text,
    request_id: text,
  })
  .meta({ id: "Problem", description: "RFC 9457, with a code for programs and a remedy for people." });
export type ProblemDocument = Wire<typeof problem>;
