// Prints docs/configuration.md from the table of settings in src/config/server/settings.ts.
import { describeServerConfig } from "../../src/config/index.ts";
import { cell } from "./markdown.ts";

const settings = describeServerConfig();
const rows = settings.map(
  ({ key, variable, default: fallback, meaning }) =>
    `| \`${key}\` | \`${variable}\` | ${cell(fallback)} | ${cell(meaning)} |`,
);

process.stdout.write(`# Configuration

Generated from \`src/config/server/settings.ts\` by \`npm run generate\`. This is the configuration of Shipinator itself; what
a repository does is in its [pipeline file](pipeline-file.md).

Nothing needs to be configured. A setting comes from a variable, else from the file, else it has its default. The file
is the one that \`--config FILE\` names, else the one that \`SHIPINATOR_CONFIG\` names; there is no default place for it.
\`validate\`, \`init\` and \`version\` read no configuration.

| key | variable | default | meaning |
|---|---|---|---|
${rows.join("\n")}

## The file

YAML, a dot in the key being a level:

\`\`\`yaml
data_dir: /srv/shipinator
local:
  log_cap: 16MiB
  grace: 30s
db:
  host: db.example
  ssl_mode: verify-full
registry:
  plain_http: [registry.example:5000]
\`\`\`

## Values

- A size is \`64MiB\`, \`1.5GiB\`, \`500MB\` or a number of bytes. A duration is \`90s\`, \`10m\`, \`1h30m\` or a number of seconds.
- A list is a YAML list in the file and has commas in the variable.
- A relative path in the file is relative to the file's directory, in a variable to the working directory. \`~\` is not
  expanded.
- An empty variable counts as not set. Variable and file are both checked, also where the variable wins.
- An unknown key, an unknown \`SHIPINATOR_*\` variable or a bad value is an error (exit 2) that names \`file:line:column\` or
  the variable, all of them at once. \`db.*\` without \`db.host\` is one too. A password is never shown.
- Exempt from that are the variables that steps are given (\`SHIPINATOR_COMMIT\` and so on) and those that Kubernetes sets
  for a Service, so that Shipinator can run inside a step or a pod.

## Not carried out yet

\`executor\` takes \`local\` and \`remote\` ([steps elsewhere](callbacks.md)), not \`kubernetes\` yet.
`);
