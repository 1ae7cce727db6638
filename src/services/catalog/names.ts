/** Checks names, texts and ids of requests. Accepts them unchanged, or rejects them with their place. */
import { type AnyId, brandId, isId, Problem } from "../../kernel/index.ts";

const maxBytes = 200;

/** @throws Problem usage */
export function checkName(name: string, place: string): string {
  const fault = faultOf(name);
  if (fault === null) return name;
  throw new Problem("usage", `${place} ${fault}.`, { place, remedy: "Give 1 to 200 bytes of plain text." });
}

function faultOf(name: string): string | null {
  if (name === "") return "is empty";
  if (Buffer.byteLength(name) > maxBytes)
    return `has ${Buffer.byteLength(name)} bytes; at most ${maxBytes} are accepted`;
  if (!name.isWellFormed()) return "contains half of a surrogate pair, which is not text";
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) return "contains a control character or a line end";
  return name.trim() === name ? null : "begins or ends with a space";
}

const maxTextBytes = 16 * 1024;

/** Checks a text of any number of lines. @throws Problem usage */
export function checkText(text: string, place: string): string {
  const bytes = Buffer.byteLength(text);
  const fault =
    bytes > maxTextBytes
      ? `has ${bytes} bytes; at most ${maxTextBytes} are accepted`
      : text.includes("\0") || !text.isWellFormed()
        ? "contains a NUL or half of a surrogate pair, which is not text"
        : null;
  if (fault === null) return text;
  throw new Problem("usage", `${place} ${fault}.`, { place, remedy: "Give plain text." });
}

/** Checks the id of a new resource. @throws Problem usage */
export function checkId<T extends AnyId>(id: string): T {
  if (isId(id)) return brandId<T>(id);
  throw new Problem("usage", "The id is not a UUID in lower case.", {
    place: "id",
    remedy: "Leave it out, or give a fresh UUID.",
  });
}

/** Checks the name of a secret, which steps see as a variable. @throws Problem usage */
export function checkSecretName(name: string, place: string): string {
  const reserved = name === "CI" || name.startsWith("SHIPINATOR_");
  if (/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name) && !reserved) return name;
  throw new Problem("usage", `${JSON.stringify(name)} cannot be the name of a secret.`, {
    place,
    remedy: "Use a variable's name, such as REGISTRY_PASSWORD. CI and SHIPINATOR_… are reserved.",
  });
}
