/** `shipinator completion bash|zsh|fish`: what a shell needs to complete commands and options, out of their own tree. */
import type { Command, Option } from "commander";
import { shellQuote } from "../../kernel/index.ts";

export type Shell = "bash" | "zsh" | "fish";

/** A command, its words before it: `["token", "create"]`; none is the program itself. */
interface Node {
  readonly path: readonly string[];
  /** What may come next: commands, or the words that its argument is one of. */
  readonly commands: readonly { readonly words: readonly string[]; readonly description: string }[];
  readonly options: readonly OptionWords[];
}

interface OptionWords {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** What it takes: nothing, anything (a file, perhaps), or one of these. */
  readonly takes: "nothing" | "anything" | readonly string[];
}

export function completionScript(shell: Shell, program: Command): string {
  const nodes = nodesOf(program, []);
  switch (shell) {
    case "bash":
      return bash(nodes);
    case "zsh":
      return zsh(nodes);
    case "fish":
      return fish(nodes);
  }
}

function nodesOf(command: Command, path: readonly string[]): readonly Node[] {
  const below = command.commands.map((one) => ({
    words: [one.name(), ...one.aliases()],
    description: one.description(),
  }));
  const given = command.registeredArguments.flatMap((one) =>
    (one.argChoices ?? []).map((word) => ({ words: [word], description: one.description })),
  );
  const commands = [...below, ...given];
  const own: Node = { path, commands, options: command.options.map(wordsOf) };
  return [own, ...command.commands.flatMap((one) => nodesOf(one, [...path, one.name()]))];
}

function wordsOf({ short, long, description, argChoices, required, optional }: Option): OptionWords {
  const takes = argChoices ?? (required || optional ? "anything" : "nothing");
  return { short: short ?? null, long: long ?? short ?? "", description, takes };
}

const formsOf = ({ short, long }: OptionWords): readonly string[] =>
  short === null ? [long] : [short, long];

/** `token create` under each of its names: an alias leads to the same place. */
function stepsOf(nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap(({ path, commands }) =>
    commands.flatMap(({ words }) =>
      words.map((word) => {
        const to = [...path, words[0] ?? word].join(" ");
        return `    ${shellQuote([...path, word].join(" "))}) command=${shellQuote(to)} ;;`;
      }),
    ),
  );
}

function choicesOf({ path, options }: Node, variable: string): readonly string[] {
  return options.flatMap((option) => {
    const choices = option.takes;
    return typeof choices === "string"
      ? []
      : formsOf(option).map(
          (form) =>
            `  ${shellQuote([...path, form].join(" "))}) ${variable}=${shellQuote(choices.join(" "))} ;;`,
        );
  });
}

/** Options that take something: what comes after them is theirs. */
function valuesOf({ path, options }: Node): readonly string[] {
  return options.flatMap((option) =>
    option.takes === "anything" ? formsOf(option).map((form) => shellQuote([...path, form].join(" "))) : [],
  );
}

/** Both shells have the same case; they differ in how words are had and given. In zsh `words` is what was typed. */
function shared(
  nodes: readonly Node[],
  variable: "words" | "choices",
): { readonly steps: string; readonly values: string; readonly choices: string } {
  return {
    steps: stepsOf(nodes).join("\n"),
    values: nodes.flatMap(valuesOf).join("|"),
    choices: nodes.flatMap((node) => choicesOf(node, variable)).join("\n"),
  };
}

function bash(nodes: readonly Node[]): string {
  const { steps, values, choices } = shared(nodes, "words");
  const words = nodes.map(({ path, commands, options }) => {
    const all = [...commands.flatMap((one) => one.words), ...options.map(({ long }) => long)];
    return `  ${shellQuote(path.join(" "))}) words=${shellQuote(all.join(" "))} ;;`;
  });
  return `# Completion of shipinator for bash: source <(shipinator completion bash)
_shipinator() {
  local command= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${command:+$command }$word" in
${steps}
    esac
  done
  COMPREPLY=()
  case "\${command:+$command }\${COMP_WORDS[COMP_CWORD-1]}" in
  ${values}) return ;;
${choices}
  esac
  if [ -z "$words" ]; then
    case "$command" in
${words.join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o bashdefault -o default -F _shipinator shipinator
`;
}

function zsh(nodes: readonly Node[]): string {
  const { steps, values, choices } = shared(nodes, "choices");
  const described = (word: string, description: string) =>
    shellQuote(`${word.replaceAll(":", "\\:")}:${description}`);
  const words = nodes.map(({ path, commands, options }) => {
    const all = [
      ...commands.flatMap((one) => one.words.map((word) => described(word, one.description))),
      ...options.map((one) => described(one.long, one.description)),
    ];
    // Where a command is to come, no file does.
    const files = commands.length > 0 ? "no" : "yes";
    return `  ${shellQuote(path.join(" "))}) described=(${all.join(" ")}) files=${files} ;;`;
  });
  return `#compdef shipinator
# Completion of shipinator for zsh: source <(shipinator completion zsh), or a file _shipinator in fpath.
_shipinator() {
  local command= word choices= files=no
  local -a described given
  given=("\${(@)words[2,CURRENT-1]}")
  for word in $given; do
    case "\${command:+$command }$word" in
${steps}
    esac
  done
  case "\${command:+$command }\${given[-1]}" in
  ${values}) _files; return ;;
${choices}
  esac
  if [ -n "$choices" ]; then
    compadd -- \${=choices}
    return
  fi
  case "$command" in
${words.join("\n")}
  esac
  _describe shipinator described
  if [ $files = yes ]; then _files; fi
}
compdef _shipinator shipinator
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, commands, options }) => {
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    const below = commands.flatMap((one) => one.words);
    const yet =
      path.length === 0
        ? "__fish_use_subcommand"
        : `${seen}; and not __fish_seen_subcommand_from ${below.join(" ")}`;
    return [
      ...commands.flatMap((one) =>
        one.words.map((word) =>
          line([`-n ${shellQuote(yet)}`, "-f", `-a ${word}`, `-d ${shellQuote(one.description)}`]),
        ),
      ),
      ...options.map(({ short, long, description, takes }) =>
        line([
          `-n ${shellQuote(path.length === 0 ? "__fish_use_subcommand" : seen)}`,
          ...(short === null ? [] : [`-s ${short.slice(1)}`]),
          `-l ${long.slice(2)}`,
          ...(takes === "nothing"
            ? []
            : takes === "anything"
              ? ["-r"]
              : [`-x -a ${shellQuote(takes.join(" "))}`]),
          `-d ${shellQuote(description)}`,
        ]),
      ),
    ];
  });
  return `# Completion of shipinator for fish: shipinator completion fish | source\n${lines.join("")}`;
}

const line = (parts: readonly string[]): string => `complete -c shipinator ${parts.join(" ")}\n`;
