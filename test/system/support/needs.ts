/**
 * What a machine must have for a test of the system suite. Where it is not there, the test is skipped and says why; with
 * CI=true a skip is a failure (test/support/closing-reporter.ts).
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Why Docker cannot be used here, or null. */
export function withoutDocker(): string | null {
  if (!onPath("docker")) return "docker is not on PATH";
  try {
    execFileSync("docker", ["version", "--format", "{{.Server.Version}}"], { stdio: "pipe" });
    return null;
  } catch {
    return "no Docker engine answers (DOCKER_HOST says where it is)";
  }
}

/** Why an image is not here, or null. Nothing is pulled. */
export function withoutImage(name: string): string | null {
  const docker = withoutDocker();
  if (docker !== null) return docker;
  try {
    execFileSync("docker", ["image", "inspect", name], { stdio: "pipe" });
    return null;
  } catch {
    return `the image ${name} is not there`;
  }
}

/** Why the cluster cannot be used here, or null. */
export function withoutCluster(): string | null {
  const { KUBECONFIG, TEST_REGISTRY } = process.env;
  if (KUBECONFIG === undefined || !existsSync(KUBECONFIG))
    return "KUBECONFIG names no file, so there is no cluster";
  if (TEST_REGISTRY === undefined) return "TEST_REGISTRY is not set, so there is no registry";
  const absent = ["kubectl", "helm"].find((tool) => !onPath(tool));
  return absent === undefined ? null : `${absent} is not on PATH`;
}

/** Why no forge can be used here, or null. */
export function withoutForge(): string | null {
  const names = ["FORGE_URL", "FORGE_USER", "FORGE_PASSWORD", "FORGE_TOKEN"];
  const absent = names.find((name) => process.env[name] === undefined);
  return absent === undefined ? null : `${absent} is not set, so there is no forge`;
}

export function onPath(tool: string, path = process.env.PATH ?? ""): boolean {
  return path.split(delimiter).some((directory) => existsSync(join(directory, tool)));
}
