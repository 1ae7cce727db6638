/** Lower-case words of letters and digits, joined by hyphens. */
export function slug(title) {
  const plain = title.normalize("NFKD").replace(/\p{Diacritic}/gu, "");
  return (plain.toLowerCase().match(/[\p{Letter}\p{Number}]+/gu) ?? []).join("-");
}
