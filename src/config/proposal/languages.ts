/** Proposals for Go modules, Rust crates and Python projects. */
import { type Proposal, type ProposedStep, type RepositoryFiles, safeName } from "./proposal.ts";

export function proposeGo(files: RepositoryFiles): Proposal | null {
  const content = files.get("go.mod");
  if (content === undefined) return null;
  const module = /^[ \t]*module\s+"?([^\s"]+)"?/m.exec(content ?? "")?.[1];
  // A final /v2 is the major version of the module and not part of its name.
  const name = safeName(
    module
      ?.replace(/\/v\d+$/, "")
      .split("/")
      .at(-1),
  );
  const commands = [...files.keys()].flatMap(
    (path) => safeName(/^cmd\/([^/]+)\/main\.go$/.exec(path)?.[1]) ?? [],
  );
  const build: ProposedStep =
    files.has("main.go") && name !== null
      ? {
          name: "compile",
          run: [`go build -o bin/${name} .`],
          outputs: [{ type: "binary", name, path: `bin/${name}` }],
        }
      : commands.length > 0
        ? {
            name: "compile",
            run: ["mkdir -p bin", "go build -o bin/ ./cmd/..."],
            outputs: commands.map((command) => ({ type: "binary", name: command, path: `bin/${command}` })),
          }
        : { name: "compile", run: ["go build ./..."] };
  return {
    kind: "go",
    source: "go.mod",
    build: [build],
    test: [
      { name: "vet", run: ["go vet ./..."] },
      {
        name: "unit",
        run: ["go test ./... -coverprofile=coverage.out"],
        outputs: [{ type: "coverage", name: "coverage.out", path: "coverage.out" }],
      },
    ],
    suggestions: [],
  };
}

export function proposeCargo(files: RepositoryFiles): Proposal | null {
  const content = files.get("Cargo.toml");
  if (content === undefined) return null;
  const locked = files.has("Cargo.lock") ? " --locked" : "";
  // A [[bin]] may give the program another name.
  const named = files.has("src/main.rs") && !/^[ \t]*\[\[bin\]\]/m.test(content ?? "");
  const name = named ? safeName(tomlValue(content ?? "", "package", "name")) : null;
  return {
    kind: "rust",
    source: "Cargo.toml",
    build: [
      {
        name: "compile",
        run: [`cargo build --release${locked}`],
        ...(name === null ? {} : { outputs: [{ type: "binary", name, path: `target/release/${name}` }] }),
      },
    ],
    test: [{ name: "unit", run: [`cargo test${locked}`] }],
    suggestions: [],
  };
}

export function proposePython(files: RepositoryFiles): Proposal | null {
  const content = files.get("pyproject.toml");
  if (content === undefined) return null;
  const text = content ?? "";
  const builds = hasBuildSystem(text);
  const name = safeName(tomlValue(text, "project", "name")) ?? "package";
  const test = pythonTest(files, text) ?? {
    name: "compile",
    comment: "Checks only the syntax. Replace it with the tests of the project.",
    run: ["python3 -m compileall -q ."],
  };
  return {
    kind: "python",
    source: "pyproject.toml",
    build: builds
      ? [
          {
            name: "wheel",
            run: [environment, ".venv/bin/pip wheel --no-deps --wheel-dir dist ."],
            outputs: [{ type: "binary", name, path: "dist/*.whl" }],
          },
        ]
      : [],
    test: [test],
    suggestions: [],
  };
}

const environment = "python3 -m venv .venv";
const hasBuildSystem = (text: string): boolean => /^[ \t]*\[build-system\]/m.test(text);

/** Returns null when there are no tests, because both runners fail or do nothing then. */
function pythonTest(files: RepositoryFiles, text: string): ProposedStep | null {
  const paths = [...files.keys()];
  // The names become part of a script, so unusual characters are excluded.
  const found = paths.filter((path) => /^(?:\w[\w.-]*\/)*(?:test_[\w.-]*|\w[\w.-]*_test)\.py$/.test(path));
  const [first] = found;
  if (first === undefined) return null;
  const install = hasBuildSystem(text) ? ". " : "";
  if (/pytest/.test(text))
    return {
      name: "unit",
      run: [environment, `.venv/bin/pip install ${install}pytest`, ".venv/bin/python -m pytest"],
    };
  const prepare = install === "" ? [] : [environment, ".venv/bin/pip install ."];
  const python = install === "" ? "python3" : ".venv/bin/python";
  return {
    name: "unit",
    run: [...prepare, `${python} -m unittest discover${discovery(files, first, found)}`],
  };
}

/** Options for unittest, which from the root searches only packages, and only for `test_*.py`. */
function discovery(files: RepositoryFiles, first: string, found: readonly string[]): string {
  const directory = first.split("/").slice(0, -1).join("/");
  const start = directory === "" || files.has(`${directory}/__init__.py`) ? "" : ` -s ${directory}`;
  const usual = found.some((path) => /(?:^|\/)test_[^/]*$/.test(path));
  return `${start}${usual ? "" : " -p '*_test.py'"}`;
}

/** Reads a text value of a TOML table. It supports only what a name needs. */
function tomlValue(text: string, table: string, key: string): string | undefined {
  let current = "";
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[([^[\]]+)\]\s*(?:#.*)?$/.exec(line)?.[1];
    if (header !== undefined) current = header.trim();
    const value = /^\s*([A-Za-z0-9_-]+)\s*=\s*["']([^"']*)["']/.exec(line);
    if (current === table && value?.[1] === key) return value[2];
  }
  return undefined;
}
