/** Data as a YAML document, for people who read it and programs that take it. */

/** No anchors and no folded lines: each value stands where it belongs, as it is. */
export async function yamlText(value: unknown): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}
