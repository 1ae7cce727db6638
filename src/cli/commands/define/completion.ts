/** `shipinator completion bash|zsh|fish`: completion scripts, generated from the command tree. */
import type { Command, Option } from "commander";
import { shellQuote } from "../../../kernel/index.ts";

export type Shell = "bash" | "zsh" | "fish";

/** A command at a path such as `["token", "create"]`. The empty path is the program. */
interface CommandNode {
  readonly path: readonly string[];
  /** Possible next words: subcommands, or the choices of the argument. */
  readonly commands: readonly { readonly words: readonly string[]; readonly description: string }[];
  readonly options: readonly OptionNode[];
}

interface OptionNode {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** Argument of the option: none, any (perhaps a file), or one of these. */
  readonly argument: "nothing" | "anything" | readonly string[];
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

function nodesOf(command: Command, path: readonly string[]): readonly CommandNode[] {
  const below = command.commands.map((one) => ({
    words: [one.name(), ...one.aliases()],
    description: one.description(),
  }));
  const given = command.registeredArguments.flatMap((one) =>
    (one.argChoices ?? []).map((word) => ({ words: [word], description: one.description })),
  );
  const commands = [...below, ...given];
  const own: CommandNode = { path, commands, options: command.options.map(wordsOf) };
  return [own, ...command.commands.flatMap((one) => nodesOf(one, [...path, one.name()]))];
}

function wordsOf({ short, long, description, argChoices, required, optional }: Option): OptionNode {
  const takes = argChoices ?? (required || optional ? "anything" : "nothing");
  return { short: short ?? null, long: long ?? short ?? "", description, argument: takes };
}

const formsOf = ({ short, long }: OptionNode): readonly string[] => (short === null ? [long] : [short, long]);

/** Maps each name of a command, including aliases, to the command. */
function stepsOf(nodes: readonly CommandNode[]): readonly string[] {
  return nodes.flatMap(({ path, commands }) =>
    commands.flatMap(({ words }) =>
      words.map((word) => {
        const to = [...path, words[0] ?? word].join(" ");
        return `    ${shellQuote([...path, word].join(" "))}) command=${shellQuote(to)} ;;`;
      }),
    ),
  );
}

function choicesOf({ path, options }: CommandNode, variable: string): readonly string[] {
  return options.flatMap((option) => {
    const choices = option.argument;
    return typeof choices === "string"
      ? []
      : formsOf(option).map(
          (form) =>
            `  ${shellQuote([...path, form].join(" "))}) ${variable}=${shellQuote(choices.join(" "))} ;;`,
        );
  });
}

/** Options with an argument. */
function valuesOf({ path, options }: CommandNode): readonly string[] {
  return options.flatMap((option) =>
    option.argument === "anything"
      ? formsOf(option).map((form) => shellQuote([...path, form].join(" ")))
      : [],
  );
}

/** The parts that bash and zsh share. In zsh, `words` contains the typed words. */
function shared(
  nodes: readonly CommandNode[],
  variable: "words" | "choices",
): { readonly steps: string; readonly values: string; readonly choices: string } {
  return {
    steps: stepsOf(nodes).join("\n"),
    values: nodes.flatMap(valuesOf).join("|"),
    choices: nodes.flatMap((node) => choicesOf(node, variable)).join("\n"),
  };
}

function bash(nodes: readonly CommandNode[]): string {
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

function zsh(nodes: readonly CommandNode[]): string {
  const { steps, values, choices } = shared(nodes, "choices");
  const described = (word: string, description: string) =>
    shellQuote(`${word.replaceAll(":", "\\:")}:${description}`);
  const words = nodes.map(({ path, commands, options }) => {
    const all = [
      ...commands.flatMap((one) => one.words.map((word) => described(word, one.description))),
      ...options.map((one) => described(one.long, one.description)),
    ];
    // A file cannot follow where a subcommand must follow.
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

function fish(nodes: readonly CommandNode[]): string {
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
      ...options.map(({ short, long, description, argument: takes }) =>
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
