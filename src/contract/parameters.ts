/** Parameters of paths, and pages of lists. */
import { z } from "zod";
import { givenId, type Wire } from "./fields.ts";

export const idParameter = z.object({ id: givenId });
export const projectParameter = z.object({
  id: z.string().max(1024).meta({ description: "An id or a name." }),
});
export const pipelineParameter = z.object({
  id: z.string().max(1024).meta({ description: "An id, or `[PROJECT/]PIPELINE` where that is unique." }),
});
export const runParameter = z.object({
  run: z.string().min(1, "is empty").max(1024).meta({
    description:
      "A number, `[PROJECT/]PIPELINE#NUMBER`, an id or a unique beginning of one, or `latest`. Percent-encode `/` and `#`.",
  }),
});

export const pageQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: "Rows wanted; 50 when absent." }),
  cursor: z.string().max(512).optional().meta({ description: "`next_cursor` of the page before." }),
});
export type PageRequest = Wire<typeof pageQuery>;

export const listOf = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item) });
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Opaque; null at the end. */
  readonly next_cursor: string | null;
}
