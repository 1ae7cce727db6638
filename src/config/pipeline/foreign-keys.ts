/** Advice for keys of other CI systems and for keys in the wrong place. */

export interface KeyAdvice {
  /** Text after `Unknown key "x" in …: `, without a full stop. */
  readonly fact: string;
  readonly remedy: string;
  /** The intended key, which is then not reported as missing. */
  readonly meant?: string;
}

/**
 * @param context keys from the top to the mapping, joined by dots, without indexes: `build.steps`
 * @param known the keys of that mapping
 */
export function adviceFor(context: string, key: string, known: readonly string[]): KeyAdvice | undefined {
  const places: readonly Readonly<Record<string, KeyAdvice>>[] =
    context === "" ? [atTop, everywhere] : [inContext[context] ?? {}, everywhere];
  const place = places.find((advices) => Object.hasOwn(advices, key));
  const advice = place?.[key];
  if (advice?.meant === undefined || known.includes(advice.meant)) return advice;
  const { meant: _, ...rest } = advice;
  return rest;
}

/** Gives several keys the same advice. */
function each(keys: string, fact: string, remedy: string, meant?: string): Record<string, KeyAdvice> {
  const advice = meant === undefined ? { fact, remedy } : { fact, remedy, meant };
  return Object.fromEntries(keys.split(" ").map((key) => [key, advice]));
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

const inContext: Readonly<Record<string, Readonly<Record<string, KeyAdvice>>>> = {
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
    ...each("environment", "the place to deploy to is called target", "Write `target:`.", "target"),
    ...each(
      "retry",
      "a deploy is never retried automatically, because a failed attempt may have taken partial effect",
      "Remove it. After a failure, check the target and run the pipeline again.",
    ),
    ...each("steps", "a deploy is one step", "Put the script under `run`."),
    ...each("outputs artifacts", "a deploy makes no artifacts", "Make them in a build step."),
  },
};

const inSteps = "Write `build:` or `test:` with `steps:` in it, and the script as a step's `run`.";

const atTop: Readonly<Record<string, KeyAdvice>> = {
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
    "settings of all steps belong in the defaults",
    "Write it below `defaults:`.",
  ),
  ...each("default", "settings of all steps are called defaults", "Write `defaults:`."),
  ...each(
    "steps step jobs job tasks pipeline pipelines workflow workflows plan",
    "the stages build, test and deploy are at the top, and steps belong to a stage",
    inSteps,
  ),
  ...each(
    "run script scripts command commands before_script after_script",
    "scripts belong to a step",
    inSteps,
  ),
  ...each(
    "artifacts outputs",
    "outputs belong to the step that makes them",
    "Write `outputs` in a build step.",
  ),
  ...each("secrets", "secrets belong to the step that uses them", "Write `secrets: [NAME]` in that step."),
  ...each(
    "name",
    "the name of a pipeline comes from its registration",
    "Remove it. Set the name with `shipinator pipeline add` or `shipinator pipeline rename`.",
  ),
  ...each("version", "the file has no version", "Remove it."),
  ...each(
    "include extends templates",
    "files cannot include other files yet",
    "Put shared parts under a key such as `x-shared:` with a YAML anchor (`&name`), and use them with `*name`.",
  ),
};

/** Advice for every mapping that has no such key. */
const everywhere: Readonly<Record<string, KeyAdvice>> = {
  ...each(
    "when if only except rules",
    "conditions do not exist yet: every step runs",
    'Remove it, and use a condition in the script: `if [ "$SHIPINATOR_BRANCH" = main ]; then …; fi`.',
  ),
  ...each(
    "on trigger triggers schedule cron",
    "a pipeline file has no triggers",
    "Remove it. Start runs with `shipinator trigger` from a scheduler or a hook of the repository.",
  ),
  ...each(
    "needs depends_on dependencies requires after",
    "stages run in the order build, test, deploy, and steps from top to bottom",
    "Remove it and put the steps in order. `parallel: true` runs adjacent steps together.",
  ),
  ...each(
    "services",
    "services do not exist yet",
    "Remove it, and start the service in a step with `&`. It runs until the stage ends.",
  ),
  ...each(
    "cache caches",
    "caches do not exist yet",
    "Remove it. Use `outputs` to pass files to later stages.",
  ),
  ...each(
    "matrix strategy",
    "matrices do not exist yet",
    "Remove it, and write a step for each variant, with `parallel: true`.",
  ),
  ...each(
    "uses with plugins settings",
    "actions and plugins are not supported",
    "Write shell commands in `run` instead. The files are already checked out.",
  ),
  ...each(
    "runs-on runs_on agent agents pool tags labels platform node executor",
    "the server's setting `executor` decides where steps run",
    "Remove it.",
  ),
  ...each(
    "stage",
    "a step belongs to the stage above it",
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
    "a step starts in the root of the checkout",
    "Write `cd DIRECTORY` as the first line of `run`.",
  ),
  ...each(
    "continue-on-error continue_on_error allow_failure ignore_errors failure",
    "a step that fails fails its stage",
    "Remove it, and write `COMMAND || true` in the script to ignore a failure.",
  ),
  ...each(
    "timeout-minutes timeout_minutes timeout_in_minutes",
    "it is called timeout",
    "Write `timeout: 10m`.",
  ),
  ...each("container", "the image is called image", "Write `image:`.", "image"),
  ...each("volumes", "volumes are not supported", "Remove it. A step has its checkout and its TMPDIR."),
};
