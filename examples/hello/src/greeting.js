const words = { en: "Hello", de: "Hallo", fr: "Bonjour", es: "Hola" };

/** Greets `name` in `language`, English where the language is not known. */
export function greet(name, language = "en") {
  const word = Object.hasOwn(words, language) ? words[language] : words.en;
  const who = name.trim();
  return `${word}, ${who === "" ? "world" : who}!`;
}

/** The first language of an Accept-Language header that is known, else English. */
export function preferred(header = "") {
  const tags = header.split(",").map((part) => part.split(";")[0].trim().slice(0, 2).toLowerCase());
  return tags.find((tag) => Object.hasOwn(words, tag)) ?? "en";
}
