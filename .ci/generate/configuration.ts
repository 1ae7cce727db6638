// Prints docs/configuration.md from the table of settings in src/config/server/settings.ts.
import { describeServerConfig } from "../../src/config/index.ts";
import { cell } from "./markdown.ts";

const settings = describeServerConfig();
const rows = settings.map(
  ({ key, variable, default: fallback, meaning }) =>
    `| \`${key}\` | \`${variable}\` | ${cell(fallback)} | ${cell(meaning)} |`,
);

process.stdout.write(`# Configuration

Generated from \`src/config/server/settings.ts\` by \`npm run generate\`. This is the configuration of Shipinator itself. A
repository configures its stages in its [pipeline file](pipeline-file.md).

Every setting is optional. A variable overrides the file, and the file overrides the default. Name the file with
\`--config FILE\` or \`SHIPINATOR_CONFIG\`; it has no default path.
\`validate\`, \`init\` and \`version\` read no configuration.

| key | variable | default | meaning |
|---|---|---|---|
${rows.join("\n")}

## The file

The file is YAML. A dot in a key separates levels:

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
- A list is a YAML list in the file, and separated by commas in the variable.
- A relative path in the file is relative to the file's directory, in a variable to the working directory. \`~\` is not
  expanded.
- An empty variable counts as not set. Both the variable and the file are checked, even if the variable wins.
- An unknown key, an unknown \`SHIPINATOR_*\` variable and an invalid value are errors (exit 2). All of them are reported
  together, each with \`file:line:column\` or the variable. \`db.*\` without \`db.host\` is an error too. Passwords are never
  shown.
- Variables that Shipinator sets for steps (\`SHIPINATOR_COMMIT\` and so on) and those that Kubernetes sets for a Service
  are allowed, so that Shipinator can run inside a step or a pod.

\`executor\` accepts \`local\` and \`remote\` ([remote executors](callbacks.md)).
`);
