/** Keys that people write because another CI system has them, or in another place, and what to write here instead. */

export interface KeyHint {
  /** Follows `unknown key "x" in …: `. */
  readonly fact: string;
  readonly remedy: string;
  /** The key that was probably meant: that it is missing need not be said as well. */
  readonly meant?: string;
}

/**
 * @param context keys from the top to the mapping, joined by dots, without indexes: `build.steps`
 * @param known the keys of that mapping
 */
export function keyHint(context: string, key: string, known: readonly string[]): KeyHint | undefined {
  const places: readonly Readonly<Record<string, KeyHint>>[] =
    context === "" ? [atTop, everywhere] : [inContext[context] ?? {}, everywhere];
  const place = places.find((hints) => Object.hasOwn(hints, key));
  const hint = place?.[key];
  if (hint?.meant === undefined || known.includes(hint.meant)) return hint;
  const { meant: _, ...rest } = hint;
  return rest;
}

/** One hint for several keys. */
function each(keys: string, fact: string, remedy: string, meant?: string): Record<string, KeyHint> {
  const hint = meant === undefined ? { fact, remedy } : { fact, remedy, meant };
  return Object.fromEntries(keys.split(" ").map((key) => [key, hint]));
}

const script = each(
  "script scripts command commands cmd",
  "the script is called run",
  "Write `run: |` and the lines below it.",
  "run",
);
const stageSteps = each(
  "run script scripts command commands cmd before_script after_script",
  "scripts belong to a step",
  "Write `steps:` with `- name: …` and `run: |` in it.",
  "steps",
);

const retryReasons = each("when", "the reasons for another attempt are called on", "Write `on:`.", "on");

const inContext: Readonly<Record<string, Readonly<Record<string, KeyHint>>>> = {
  build: stageSteps,
  test: stageSteps,
  "build.steps": {
    ...script,
    ...each("artifacts", "a build step makes outputs", "Write `outputs`."),
  },
  "test.steps": {
    ...script,
    ...each("outputs", "a test step keeps artifacts", "Write `artifacts`, or build it in a build step."),
  },
  "build.steps.retry": retryReasons,
  "test.steps.retry": retryReasons,
  "defaults.retry": retryReasons,
  deploy: {
    ...script,
    ...each("environment", "where to deploy is called target", "Write `target:`.", "target"),
    ...each(
      "retry",
      "a deploy is never repeated without a person asking, because a first try may have done half of its work",
      "Remove it; after a failure look at the target and run the pipeline again.",
    ),
    ...each("steps", "a deploy is one step", "Put the script under `run`."),
    ...each("outputs artifacts", "a deploy makes no artifacts", "Make them in a build step."),
  },
};

const inSteps = "Write `build:` or `test:` with `steps:` in it, and the script as a step's `run`.";

const atTop: Readonly<Record<string, KeyHint>> = {
  ...each("stages", "the stages are build, test and deploy", "Write them at the top of the file."),
  ...each(
    "env environment variables",
    "variables of all steps belong in the defaults",
    "Write `defaults:` with `env:` in it.",
  ),
  ...each(
    "image container",
    "the image of all steps belongs in the defaults",
    "Write `defaults:` with `image:` in it.",
  ),
  ...each(
    "timeout shell retry",
    "what holds for all steps belongs in the defaults",
    "Write it below `defaults:`.",
  ),
  ...each("default", "what holds for all steps is called defaults", "Write `defaults:`."),
  ...each(
    "steps step jobs job tasks pipeline pipelines workflow workflows plan",
    "the stages build, test and deploy stand at the top, and steps belong to a stage",
    inSteps,
  ),
  ...each(
    "run script scripts command commands before_script after_script",
    "scripts belong to a step",
    inSteps,
  ),
  ...each("artifacts outputs", "what a step makes belongs to the step", "Write `outputs` in a build step."),
  ...each("secrets", "secrets belong to the step that uses them", "Write `secrets: [NAME]` in that step."),
  ...each(
    "name",
    "a pipeline has its name from its registration",
    "Remove it; `shipinator pipeline add` and `pipeline rename` give the name.",
  ),
  ...each("version", "the file has no version", "Remove it."),
  ...each(
    "include extends templates",
    "files cannot include others yet",
    "Put shared parts under a key such as `x-shared:` with a YAML anchor (`&name`), and use them by `*name`.",
  ),
};

/** In every mapping that has no such key. */
const everywhere: Readonly<Record<string, KeyHint>> = {
  ...each(
    "when if only except rules",
    "conditions do not exist yet: every step runs",
    'Remove it, and test in the script: `if [ "$SHIPINATOR_BRANCH" = main ]; then …; fi`.',
  ),
  ...each(
    "on trigger triggers schedule cron",
    "the file names no triggers",
    "Remove it; start runs with `shipinator trigger`, from a scheduler or a hook of the repository.",
  ),
  ...each(
    "needs depends_on dependencies requires after",
    "the order is the file's: build, test, deploy, and in each the steps from top to bottom",
    "Remove it and put the steps in order; `parallel: true` runs adjacent ones together.",
  ),
  ...each(
    "services",
    "services do not exist yet",
    "Remove it, and start the service in a step with `&`; it runs until the stage is over.",
  ),
  ...each(
    "cache caches",
    "caches do not exist yet",
    "Remove it; what one stage makes for the next are `outputs`.",
  ),
  ...each(
    "matrix strategy",
    "matrices do not exist yet",
    "Remove it, and write a step for each variant, with `parallel: true`.",
  ),
  ...each(
    "uses with plugins settings",
    "actions and plugins do not exist here",
    "Write what it does as shell commands in `run`; the files are checked out already.",
  ),
  ...each(
    "runs-on runs_on agent agents pool tags labels platform node executor",
    "steps run where the server's setting `executor` says",
    "Remove it.",
  ),
  ...each(
    "stage",
    "a step belongs to the stage that it stands in",
    "Remove it, and put the step below `build:` or `test:`.",
  ),
  ...each(
    "before_script after_script",
    "a step has one script",
    "Put these lines at the beginning or the end of `run`.",
  ),
  ...each("environment variables", "variables are called env", "Write `env:`.", "env"),
  ...each(
    "working-directory working_directory workdir cwd dir",
    "a step begins in the root of the checkout",
    "Write `cd DIRECTORY` as the first line of `run`.",
  ),
  ...each(
    "continue-on-error continue_on_error allow_failure ignore_errors failure",
    "a step that fails fails its stage",
    "Remove it, and write `COMMAND || true` in the script where a failure does not matter.",
  ),
  ...each(
    "timeout-minutes timeout_minutes timeout_in_minutes",
    "it is called timeout",
    "Write `timeout: 10m`.",
  ),
  ...each("container", "the image is called image", "Write `image:`.", "image"),
  ...each("volumes", "volumes do not exist here", "Remove it; a step has its checkout and its TMPDIR."),
};
