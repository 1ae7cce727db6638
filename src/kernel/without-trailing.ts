/**
 * The text without these characters at its end. An expression such as `/\/+$/` tries each run of them from each of its
 * characters, which takes time in the square of a run that stands elsewhere.
 */
export function withoutTrailing(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
