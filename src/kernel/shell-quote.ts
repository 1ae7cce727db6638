/** One word of a POSIX shell. Single quotes keep every byte as it is; a quote itself steps outside them. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A word as it can be typed into a shell, quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-][A-Za-z0-9_@%+=:,./#-]*$/.test(text) ? text : shellQuote(text);
}
