/**
 * Removes these characters from the end of the text. A regular expression such as `/\/+$/` takes quadratic time on a long
 * run of them that stands elsewhere in the text.
 */
export function withoutTrailing(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
