/**
 * Text that Postgres cannot hold: NUL, and halves of surrogate pairs (jsonb refuses them, text would silently change
 * them). What a person wrote is refused with its place; what a program reported is kept with the replacement character,
 * because a report must never be lost over a byte.
 */
import { Problem } from "../../kernel/index.ts";

/** The text with what cannot be stored replaced by U+FFFD; null stays null. */
export function storableText(text: string): string;
export function storableText(text: string | null): string | null;
export function storableText(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Any JSON value with all its strings made storable, as JSON. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "string" ? storableText(item) : item,
  );
}

/**
 * The value as JSON, when all of it can be stored.
 * @throws Problem config_invalid naming the place of the first string that cannot.
 */
export function strictJson(value: unknown, place: string): string {
  return JSON.stringify(value, (key, item: unknown) => {
    refuseUnstorable(key, place);
    if (typeof item === "string") refuseUnstorable(item, key === "" ? place : `${place}.${key}`);
    return item;
  });
}

/** @throws Problem config_invalid when the text holds NUL or half a surrogate pair. */
export function refuseUnstorable(text: string, place: string): void {
  if (!text.includes("\0") && text.isWellFormed()) return;
  const what = text.includes("\0") ? "a NUL character" : "half of a surrogate pair";
  throw new Problem("config_invalid", `${place} holds ${what}, which is not text and cannot be stored.`, {
    place,
    remedy: "Remove the character.",
  });
}
