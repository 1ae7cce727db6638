/** One word of a POSIX shell. Single quotes keep every byte as it is; a quote itself steps outside them. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
