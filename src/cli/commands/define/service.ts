/** Definitions of the commands that use a server. */
import { type Command, Option } from "commander";
import type { Scope } from "../../../domain/index.ts";
import { definePipelineChanges, defineProjects } from "./catalog.ts";
import type { Choose, SharedOptions } from "./define.ts";
import type { Shared } from "./deployments.ts";
import { PIPELINE_HELP, RUN_HELP } from "./help-texts.ts";
import { defineSecrets } from "./secrets.ts";

const scopes = ["read", "trigger", "admin"] as const satisfies readonly Scope[];

export function defineService(program: Command, choose: Choose, shared: Shared): void {
  const withServer = (command: Command) =>
    command
      .addOption(shared.output())
      .addOption(shared.config())
      .addOption(shared.server())
      .addOption(shared.token());

  program
    .command("login")
    .description("store the address of a server and a token from standard input")
    .argument("<server>", "address of the server")
    .action((server: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { loginCommand } = await import("../server/login.ts");
        return await loginCommand(context, server);
      }),
    );
  program
    .command("logout")
    .description("remove the stored server and token")
    .action(() =>
      choose({}, async (context) => {
        const { logoutCommand } = await import("../server/login.ts");
        return await logoutCommand(context);
      }),
    );
  withServer(program.command("whoami").description("show the user, the permissions and the server")).action(
    (options: SharedOptions) =>
      choose(options, async (context) => {
        const { whoamiCommand } = await import("../server/whoami.ts");
        return await whoamiCommand(context);
      }),
  );
  defineProjects(program, choose, withServer);
  definePipelines(program, choose, withServer);
  defineRuns(program, choose, withServer);
  defineTokens(program, choose, { withServer, parseLimit: shared.parseLimit });
  defineSecrets(program, choose, withServer);
}

export type WithServer = (command: Command) => Command;

interface AddOptions extends SharedOptions {
  readonly name?: string;
  readonly project?: string;
  readonly cloneSecret?: string;
  readonly cloneUsername?: string;
  readonly check: boolean;
}

function definePipelines(program: Command, choose: Choose, withServer: WithServer): void {
  const pipeline = program
    .command("pipeline")
    .description("register, list, rename and remove pipelines")
    .helpCommand(false);
  withServer(
    pipeline
      .command("add")
      .description("register a pipeline, and add its project and repository if they are new")
      .argument("<repository>", "address of the repository, or a directory on the server's machine")
      .option("--name <name>", "name of the pipeline (default: name of the repository)")
      .option("--project <name>", "name of the project (default: name of the repository)")
      .option("--clone-secret <name>", "secret of the project for cloning: a token or a private key")
      .option("--clone-username <name>", "user name, if the token needs one")
      .option("--no-check", "register without reading the repository"),
  ).action((repository: string, options: AddOptions) =>
    choose(options, async (context) => {
      const { addPipelineCommand } = await import("../catalog/pipeline.ts");
      const { name = null, project = null, cloneSecret, cloneUsername } = options;
      const trust = options.check ? "checked" : "unchecked";
      const args = { repository, name, project, cloneSecret, cloneUsername, trust } as const;
      return await addPipelineCommand(context, args);
    }),
  );
  definePipelineChanges(pipeline, choose, withServer);
  withServer(pipeline.command("list", { isDefault: true }).alias("ls").description("list pipelines")).action(
    (options: SharedOptions) =>
      choose(options, async (context) => {
        const { listPipelinesCommand } = await import("../catalog/pipeline.ts");
        return await listPipelinesCommand(context);
      }),
  );
}

interface TriggerOptions extends SharedOptions {
  readonly ref?: string;
  readonly sha?: string;
  readonly only?: string;
  readonly follow?: true;
}

interface RetryOptions extends SharedOptions {
  readonly failed?: true;
  readonly follow?: true;
}

const FOLLOW_HELP = "show the run to its end, and exit with its result";
const showOf = (follow: true | undefined) => (follow ? "to_the_end" : "accepted");

function defineRuns(program: Command, choose: Choose, withServer: WithServer): void {
  withServer(
    program
      .command("trigger")
      .description("run a registered pipeline")
      .argument("<pipeline>", PIPELINE_HELP)
      .option("--ref <ref>", "branch or tag (default: the default branch)")
      .option("--sha <commit>", "full commit id")
      .option("--only <stages>", "stages to run, separated by commas")
      .option("-f, --follow", FOLLOW_HELP),
  ).action((pipeline: string, options: TriggerOptions) =>
    choose(options, async (context) => {
      const { triggerCommand } = await import("../runs/trigger.ts");
      const { ref = null, sha = null, only = null, follow } = options;
      return await triggerCommand(context, {
        pipeline,
        ref,
        sha,
        only,
        show: showOf(follow),
      });
    }),
  );
  const verbs = [
    ["cancel", "cancel a run"],
    ["why", "explain the state of a run"],
    ["events", "list the recorded transitions of a run"],
  ] as const;
  for (const [verb, description] of verbs)
    withServer(program.command(verb).description(description).argument("[run]", RUN_HELP, "latest")).action(
      (run: string, options: SharedOptions) =>
        choose(options, async (context) => {
          const { runVerbs } = await import("../runs/run-verbs.ts");
          return await runVerbs[verb](context, run);
        }),
    );
  withServer(
    program
      .command("retry")
      .description("run the same commit again as a new run")
      .argument("[run]", RUN_HELP, "latest")
      .option("--failed", "run only stages that did not succeed, and reuse the artifacts of the others")
      .option("-f, --follow", FOLLOW_HELP),
  ).action((run: string, options: RetryOptions) =>
    choose(options, async (context) => {
      const { retryCommand } = await import("../runs/run-verbs.ts");
      const what = options.failed ? "failed" : "whole";
      return await retryCommand(context, { which: run, what, show: showOf(options.follow) });
    }),
  );
}

interface TokenContext {
  readonly withServer: WithServer;
  readonly parseLimit: (value: string) => number;
}

type CreateOptions = SharedOptions & {
  readonly scope: Scope;
  readonly project?: string;
  readonly expires?: string;
  readonly to?: string;
  readonly force?: true;
};

function defineTokens(program: Command, choose: Choose, { withServer, parseLimit }: TokenContext): void {
  const token = program.command("token").description("create, list and revoke tokens").helpCommand(false);
  withServer(
    token
      .command("create")
      .description("create a token, which is shown once")
      .argument("<name>", "owner or purpose of the token")
      .addOption(new Option("--scope <scope>", "permissions of the token").choices(scopes).default("read"))
      .option("--project <name>", "project of the token (default: all)")
      .option("--expires <time>", "expiry: 2030-01-31T12:00:00Z, or 90d, 12h, 30m from now (default: never)")
      .option("--to <file>", "file for the token, readable only by its owner (default: standard output)")
      .option("--force", "replace an existing file"),
  ).action((name: string, options: CreateOptions) =>
    choose(options, async (context) => {
      const { createTokenCommand } = await import("../server/token.ts");
      const { scope, project = null, expires = null, to = null } = options;
      const existing = options.force ? "replace" : "never";
      return await createTokenCommand(context, { name, scope, project, expires, to, existing });
    }),
  );
  withServer(
    token
      .command("list", { isDefault: true })
      .alias("ls")
      .description("list tokens")
      .option("-n, --limit <number>", "maximum number of tokens", parseLimit, 50),
  ).action((options: SharedOptions & { limit: number }) =>
    choose(options, async (context) => {
      const { listTokensCommand } = await import("../server/token.ts");
      return await listTokensCommand(context, options.limit);
    }),
  );
  withServer(
    token.command("revoke").description("revoke a token immediately").argument("<id>", "id of the token"),
  ).action((id: string, options: SharedOptions) =>
    choose(options, async (context) => {
      const { revokeTokenCommand } = await import("../server/token.ts");
      return await revokeTokenCommand(context, id);
    }),
  );
}
