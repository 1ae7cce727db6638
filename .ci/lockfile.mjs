// The lockfile as it shall stand, made from the lockfile as npm left it:
// - Packages with binaries for one platform carry no `engines`. npm installs with the host's Node and leaves an optional
//   package out when that Node is too old for it, but the checkout runs with the Node that it pins.
// - Every platform's package is listed, also where npm did not find it: npm 11 refuses a lockfile that lacks one.
// - No address of a registry: whoever installs has their own.
import { readFileSync } from "node:fs";

const PLATFORM =
  /(?<os>aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(?<cpu>arm64|arm|x64|ia32|loong64|mips64el|ppc64|riscv64|s390x)(?:-(?<abi>[a-z]+))?$/;
const LIBC = { gnu: "glibc", gnueabihf: "glibc", musl: "musl", musleabihf: "musl" };

function missing(packages) {
  return Object.values(packages).flatMap((dependent) =>
    Object.entries(dependent.optionalDependencies ?? {}).flatMap(([name, version]) => {
      const platform = PLATFORM.exec(name.replace("arm-eabi", "arm"))?.groups;
      if (platform === undefined || packages[`node_modules/${name}`] !== undefined) return [];
      const libc = platform.os === "linux" ? LIBC[platform.abi] : undefined;
      const entry = {
        version,
        cpu: [platform.cpu],
        ...(dependent.dev && { dev: true }),
        ...(libc && { libc: [libc] }),
        optional: true,
        os: [platform.os],
      };
      return [[`node_modules/${name}`, entry]];
    }),
  );
}

function normal([path, entry]) {
  const { resolved, engines, ...rest } = entry;
  const portable = !(entry.optional && (entry.os || entry.cpu));
  // The key keeps its place: npm writes them in alphabetical order.
  const kept = Object.entries(entry).filter(([key]) => key in rest || (key === "engines" && portable));
  return [path, resolved?.startsWith("http") === false ? entry : Object.fromEntries(kept)];
}

export function lockfile() {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const entries = Object.entries({ ...lock.packages, ...Object.fromEntries(missing(lock.packages)) });
  const packages = Object.fromEntries(entries.map(normal).sort(([a], [b]) => a.localeCompare(b, "en")));
  return `${JSON.stringify({ ...lock, packages }, null, 2)}\n`;
}
