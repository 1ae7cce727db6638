/** A Postgres of a Debian release in a container, from an image that is made here. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";

// The container that would clean up after a crash comes from a public registry.
process.env.TESTCONTAINERS_RYUK_DISABLED = "true";

const run = promisify(execFile);
const context = fileURLToPath(new URL("./image", import.meta.url));
const password = "of the test server";

export interface Release {
  readonly major: number;
  readonly suite: string;
}

export const releases: readonly Release[] = [
  { major: 15, suite: "bookworm" },
  { major: 17, suite: "trixie" },
];

export interface Server extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly container: StartedTestContainer;
  /** Runs SQL as the superuser. @returns what it selects, unadorned */
  sql(text: string, database?: string): Promise<string>;
  /** PEM of the authority that signed its certificate for `localhost`. */
  authority(): Promise<string>;
}

export async function startServer({ major, suite }: Release): Promise<Server> {
  const image = `shipinator-test-postgres:${major}`;
  await run(
    "docker",
    ["build", "--network", "host", "--build-arg", `SUITE=${suite}`, "--build-arg", `MAJOR=${major}`].concat([
      "--tag",
      image,
      context,
    ]),
    { env: { ...process.env, DOCKER_BUILDKIT: "0" } },
  );
  const container = await new GenericContainer(image)
    .withEnvironment({ PASSWORD: password })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/))
    .start();
  async function answer(command: string[]): Promise<string> {
    const { exitCode, output } = await container.exec(command);
    if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${output}`);
    return output.trim();
  }
  return {
    container,
    port: container.getMappedPort(5432),
    user: "shipinator",
    password,
    sql: (text, database = "postgres") =>
      answer(
        ["psql", `postgresql://shipinator:${encodeURIComponent(password)}@127.0.0.1/${database}`].concat([
          "--no-psqlrc",
          "--tuples-only",
          "--no-align",
          "--command",
          text,
        ]),
      ),
    authority: () => answer(["cat", "/tmp/ca.crt"]),
    async [Symbol.asyncDispose]() {
      await container.stop({ timeout: 0 });
    },
  };
}
