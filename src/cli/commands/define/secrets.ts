/** Definitions of the commands for secrets and registry logins. */
import type { Command } from "commander";
import type { Choose, SharedOptions } from "./define.ts";
import type { WithServer } from "./service.ts";

type SecretOptions = SharedOptions & { readonly project?: string };

const PROJECT_HELP = "name of the project (default: the only one)";

export function defineSecrets(program: Command, choose: Choose, withServer: WithServer): void {
  const secret = program
    .command("secret")
    .description("set, list and remove secrets of steps")
    .helpCommand(false);
  withServer(
    secret
      .command("set")
      .description("set a secret to the content of standard input")
      .argument("<name>", "name of the variable")
      .option("--project <name>", PROJECT_HELP),
  ).action((name: string, options: SecretOptions) =>
    choose(options, async (context) => {
      const { setSecretCommand } = await import("../catalog/secret.ts");
      return await setSecretCommand(context, name, options.project ?? null);
    }),
  );
  withServer(
    secret
      .command("list", { isDefault: true })
      .alias("ls")
      .description("list the names of a project's secrets")
      .option("--project <name>", PROJECT_HELP),
  ).action((options: SecretOptions) =>
    choose(options, async (context) => {
      const { listSecretsCommand } = await import("../catalog/secret.ts");
      return await listSecretsCommand(context, options.project ?? null);
    }),
  );
  withServer(
    secret
      .command("remove")
      .description("remove a secret")
      .argument("<name>", "name of the secret")
      .option("--project <name>", PROJECT_HELP),
  ).action((name: string, options: SecretOptions) =>
    choose(options, async (context) => {
      const { removeSecretCommand } = await import("../catalog/secret.ts");
      return await removeSecretCommand(context, name, options.project ?? null);
    }),
  );
  defineRegistries(program, choose, withServer);
  withServer(secret.command("rotate").description("encrypt all secrets with a new key")).action(
    (options: SharedOptions) =>
      choose(options, async (context) => {
        const { rotateSecretsCommand } = await import("../catalog/secret.ts");
        return await rotateSecretsCommand(context);
      }),
  );
}

function defineRegistries(program: Command, choose: Choose, withServer: WithServer): void {
  const registry = program
    .command("registry")
    .description("set, list and remove logins for the registries that steps push to")
    .helpCommand(false);
  withServer(
    registry
      .command("set")
      .description("set the login of a project for a registry")
      .argument("<host>", "host[:port] of the registry, as in image references")
      .requiredOption("--username <name>", "user name in the registry")
      .requiredOption("--secret <name>", "secret of the project with the password or token")
      .option("--project <name>", PROJECT_HELP),
  ).action((host: string, options: SecretOptions & { readonly username: string; readonly secret: string }) =>
    choose(options, async (context) => {
      const { setRegistryCommand } = await import("../catalog/registry.ts");
      const { username, secret, project = null } = options;
      return await setRegistryCommand(context, { host, username, secret, project });
    }),
  );
  withServer(
    registry
      .command("list", { isDefault: true })
      .alias("ls")
      .description("list a project's logins")
      .option("--project <name>", PROJECT_HELP),
  ).action((options: SecretOptions) =>
    choose(options, async (context) => {
      const { listRegistriesCommand } = await import("../catalog/registry.ts");
      return await listRegistriesCommand(context, options.project ?? null);
    }),
  );
  withServer(
    registry
      .command("remove")
      .description("remove a login")
      .argument("<host>", "host[:port] of the registry")
      .option("--project <name>", PROJECT_HELP),
  ).action((host: string, options: SecretOptions) =>
    choose(options, async (context) => {
      const { removeRegistryCommand } = await import("../catalog/registry.ts");
      return await removeRegistryCommand(context, host, options.project ?? null);
    }),
  );
}
