/** Quotes one word of a POSIX shell. Single quotes keep every byte; a quote inside the text closes and reopens them. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Quotes one word of a shell only when that is necessary. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-][A-Za-z0-9_@%+=:,./#-]*$/.test(text) ? text : shellQuote(text);
}
