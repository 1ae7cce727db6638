/** Colours and symbols that suit the environment and the stream. */
export interface Style {
  readonly color: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  readonly marks: Marks;
}

export interface Marks {
  readonly ok: string;
  readonly failed: string;
  readonly passed: string;
  readonly started: string;
  readonly more: string;
  readonly dot: string;
  readonly spinner: readonly string[];
}

const unicode: Marks = {
  ok: "✓",
  failed: "✗",
  passed: "–",
  started: "▸",
  more: "…",
  dot: "·",
  spinner: ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
};
const ascii: Marks = {
  ok: "+",
  failed: "x",
  passed: "-",
  started: ">",
  more: "~",
  dot: "-",
  spinner: ["|", "/", "-", "\\"],
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** Tests whether the stream is a terminal that can move its cursor. */
export function isCapable(stream: { readonly isTTY: boolean }, environment: Environment): boolean {
  return stream.isTTY && environment.TERM !== "dumb";
}

export function createStyle(stream: { readonly isTTY: boolean }, environment: Environment): Style {
  const color = wantsColor(stream, environment);
  const paint = (open: number, close: number) => (text: string) =>
    color && text !== "" ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    color,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    marks: speaksUnicode(environment) ? unicode : ascii,
  };
}

/** Decides on colours by NO_COLOR, then FORCE_COLOR, CLICOLOR_FORCE, CLICOLOR=0 and the kind of stream. */
function wantsColor(stream: { readonly isTTY: boolean }, environment: Environment): boolean {
  const { NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, CLICOLOR } = environment;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  if (CLICOLOR_FORCE !== undefined && CLICOLOR_FORCE !== "" && CLICOLOR_FORCE !== "0") return true;
  return CLICOLOR !== "0" && isCapable(stream, environment);
}

/** Tests whether Unicode symbols are safe. The Linux console and locales without UTF-8 get ASCII. */
function speaksUnicode(environment: Environment): boolean {
  if (environment.TERM === "linux") return false;
  const locale = [environment.LC_ALL, environment.LC_CTYPE, environment.LANG].find((name) => name);
  return locale === undefined || /utf-?8/i.test(locale);
}
