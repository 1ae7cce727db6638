/** Maximum number of rows of a search by an ambiguous name: ten to show, and one that says that there are more. */
export const candidateLimit = 11;

/** The first and last id that begin with a prefix, or null when no id can: for references that a person typed. */
export function idRange(prefix: string): [string, string] | null {
  const text = prefix.toLowerCase();
  const template = "00000000-0000-0000-0000-000000000000";
  if (text === "" || text.length > template.length) return null;
  for (const [index, character] of [...text].entries()) {
    const wanted = template[index] === "-" ? /-/ : /[0-9a-f]/;
    if (!wanted.test(character)) return null;
  }
  const rest = template.slice(text.length);
  return [text + rest, text + rest.replaceAll("0", "f")];
}
