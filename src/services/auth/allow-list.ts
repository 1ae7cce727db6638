/**
 * Variables of this process's environment that local steps get: paths of programs and certificates, language, time zone,
 * proxies, and deploy targets. Never tokens, and never Shipinator's own variables.
 */
import { enterablePath, type StepAccount } from "../step-account.ts";

const always = [
  "LANG",
  "LANGUAGE",
  "TZ",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
] as const;

/** Variables for steps of `run`, which behave like commands in the person's shell. */
const ofPerson = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "XDG_DATA_HOME",
  "XDG_RUNTIME_DIR",
  "KUBECONFIG",
  "DOCKER_HOST",
  "DOCKER_CONFIG",
  "DOCKER_CERT_PATH",
  "DOCKER_TLS_VERIFY",
  "SSH_AUTH_SOCK",
  "GOPATH",
  "GOCACHE",
  "GOMODCACHE",
  "GOPROXY",
  "CARGO_HOME",
  "RUSTUP_HOME",
  "JAVA_HOME",
  "PYENV_ROOT",
  "NVM_DIR",
] as const;

/** Variables for steps with their own account, which get nothing from the server's home. */
const ofServer = [
  "PATH",
  "KUBECONFIG",
  "DOCKER_HOST",
  "DOCKER_CERT_PATH",
  "DOCKER_TLS_VERIFY",
  "GOPROXY",
] as const;

/** Variables that point into HOME, so a project with its own home does not get them. */
const belowHome: ReadonlySet<string> = new Set([
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "XDG_DATA_HOME",
  "XDG_RUNTIME_DIR",
]);

interface StepsSurroundings {
  readonly account: StepAccount | null;
  readonly homes: "project" | "shared";
}

const fallbackPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function stepAllowList(
  environment: Readonly<Record<string, string | undefined>>,
  home: string,
  steps: StepsSurroundings = { account: null, homes: "shared" },
): Record<string, string> {
  const { account, homes } = steps;
  const allowed: Record<string, string> = { PATH: fallbackPath, HOME: account?.home ?? home };
  if (account !== null) Object.assign(allowed, { USER: account.name, LOGNAME: account.name });
  for (const name of [...always, ...(account === null ? ofPerson : ofServer)]) {
    const value = environment[name];
    if (value === undefined || value === "" || (homes === "project" && belowHome.has(name))) continue;
    allowed[name] = value;
  }
  for (const [name, value] of Object.entries(environment))
    if (name.startsWith("LC_") && value !== undefined) allowed[name] = value;
  if (account !== null) allowed.PATH = enterablePath(allowed.PATH ?? fallbackPath, account);
  return allowed;
}
