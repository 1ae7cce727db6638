/** Data as a YAML document, for people who read it and programs that take it. */
import { stringify } from "yaml";

/** No anchors and no folded lines: each value stands where it belongs, as it is. */
export const yamlText = (value: unknown): string =>
  stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
