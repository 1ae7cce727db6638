/** A world of its own beside the cluster and the registry: a namespace, a repository name, and what helm and kubectl see. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { StepDetail } from "../../../../src/services/index.ts";
import { type Answer, type CommandOptions, type Running, World } from "../../../support/cli.ts";

const execute = promisify(execFile);

/** A revision as `helm history` tells it. */
export interface Revision {
  readonly revision: number;
  readonly status: string;
  readonly description: string;
}

export class ClusterWorld implements AsyncDisposable {
  readonly world: World;
  readonly namespace: string;
  /** `host:port` */
  readonly registry: string;
  /** What `run` is given beside the world's own environment. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(world: World) {
    const { KUBECONFIG = "", TEST_REGISTRY = "", DOCKER_HOST } = process.env;
    this.world = world;
    this.namespace = `shipinator-test-${randomBytes(4).toString("hex")}`;
    this.registry = TEST_REGISTRY;
    this.env = {
      KUBECONFIG,
      SHIPINATOR_REGISTRY_PLAIN_HTTP: TEST_REGISTRY,
      ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }),
    };
  }

  static async open(): Promise<ClusterWorld> {
    return new ClusterWorld(await World.prepared());
  }

  start(directory: string, env: Readonly<Record<string, string>> = {}): Running {
    return this.world.start(["run", directory], { env: { ...this.env, ...env } });
  }

  async run(directory: string, env: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return await this.start(directory, env).ended;
  }

  async shipinator(argv: readonly string[], options: CommandOptions = {}): Promise<Answer> {
    return await this.world.shipinator(argv, options);
  }

  /** The newest run's deploy step. */
  async deployStep(): Promise<StepDetail> {
    const run = await this.world.status();
    const step = run.jobs.find((job) => job.job_type === "deploy")?.steps[0];
    if (step === undefined) throw new Error("the newest run has no deploy step");
    return step;
  }

  async kubectl(...args: string[]): Promise<string> {
    return (await execute("kubectl", [...args, "--namespace", this.namespace])).stdout.trim();
  }

  async helm(...args: string[]): Promise<string> {
    return (await execute("helm", [...args, "--namespace", this.namespace])).stdout.trim();
  }

  async history(release: string): Promise<readonly Revision[]> {
    return JSON.parse(await this.helm("history", release, "--output", "json"));
  }

  /** Pods may take their half minute to end; nothing of a test waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    await execute("kubectl", ["delete", "namespace", this.namespace, "--ignore-not-found", "--wait=false"]);
    await this.world[Symbol.asyncDispose]();
  }
}

export const chartYaml = (name: string) => `apiVersion: v2\nname: ${name}\nversion: 0.1.0\n`;

/** A chart that is ready at once; its ConfigMap holds the text. */
export const configMap = (text: string) => `apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ .Release.Name }}"
data:
  text: ${JSON.stringify(text)}
`;

/** What never becomes ready: its image is nowhere. */
export const neverReady = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: "{{ .Release.Name }}"
spec:
  selector: { matchLabels: { app: never } }
  template:
    metadata: { labels: { app: never } }
    spec: { containers: [{ name: never, image: "nowhere.test/never:1" }] }
`;

/** A pipeline that deploys the chart in `chart/` as it is. */
export const chartPipeline = (namespace: string, more = "") => `build:
  steps:
    - { name: chart, run: "true", outputs: [{ type: helm_chart, name: chart, path: chart }] }
deploy:
  artifact: chart
  namespace: ${namespace}
  release: site
${more}`;
