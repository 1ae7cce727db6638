// Holds the text of the code to docs/glossary.md: plain words, doc comments that begin with a noun or a verb, and error
// messages that are sentences. `npx node .ci/language.mjs FOLDER` lists what is left in a folder that is not in `held` yet.
import { globSync, readFileSync } from "node:fs";

/** Folders and files that are held to the rules. The list grows until it is ["src", "test", "bench", ".ci"]. */
const held = ["src"];

const openings = "What|Who|Whose|Whether|As|Of|So|One that|That of|Those|How|Where|When";
const openingRule = new RegExp(`^(?:${openings})\\b`);

const privateWords = {
  lane: "worker",
  spare: "warm worker",
  pump: "log writer",
  prologue: "step script",
  rung: "containment strategy",
  ladder: "containment",
  frontier: "run snapshot",
  foresee: "prefetch",
  caretaker: "maintenance",
  housekeeping: "cleanup",
  standing: "run position",
  verdict: "result",
  inquiry: "probe",
  memo: "cache",
};
const camel = (text) => text.replace(/([a-z])([A-Z])/g, "$1 $2");
const wordRule = new RegExp(`\\b(${Object.keys(privateWords).join("|")})s?\\b`, "gi");

function faultsOf(file) {
  const text = readFileSync(file, "utf8");
  const lineOf = (index) => text.slice(0, index).split("\n").length;
  const faults = [];
  for (const { 1: body, index } of text.matchAll(/\/\*\*([\s\S]*?)\*\//g)) {
    const words = body.replace(/^\s*\* ?/gm, "").trim();
    const sentence = words.replace(/^@(?:returns|param \S+|throws \S+)\s*/, "");
    if (openingRule.test(sentence))
      faults.push([lineOf(index), `a doc comment begins with a noun or a verb: "${sentence.slice(0, 40)}…"`]);
  }
  for (const { 1: message, index } of text.matchAll(/new Problem\(\s*"[a-z_]+",\s*"([^"]+)"/g)) {
    if (/^[a-z]+ /.test(message) || !/[.?:)]$/.test(message))
      faults.push([
        lineOf(index),
        `an error is a sentence, capital and full stop: "${message.slice(0, 60)}"`,
      ]);
  }
  for (const { 0: found, 1: word, index } of camel(text).matchAll(wordRule)) {
    const line = camel(text).slice(0, index).split("\n").length;
    faults.push([line, `"${found}" is ${privateWords[word.toLowerCase()]} (docs/glossary.md)`]);
  }
  return faults;
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : held;
let count = 0;
for (const folder of wanted) {
  const files = folder.endsWith(".ts") ? [folder] : globSync(`${folder}/**/*.{ts,mjs}`);
  for (const file of files.sort()) {
    if (file.includes("/generated/") || file.endsWith("language.mjs")) continue;
    for (const [line, text] of faultsOf(file)) {
      console.error(`${file}:${line}: ${text}`);
      count += 1;
    }
  }
}
console.log(`${count} faults of language in ${wanted.join(", ") || "nothing"}`);
process.exitCode = count === 0 ? 0 : 1;
