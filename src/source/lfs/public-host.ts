/** Distinguishes public hosts from those of private networks and this machine. */
import { lookup } from "node:dns/promises";
import { BlockList } from "node:net";

/** Networks that are not global according to IANA's special-purpose registries. IPv4 covers `::ffff:a.b.c.d`, too. */
const special = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const)
  special.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of [
  ["::", 127],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const)
  special.addSubnet(network, prefix, "ipv6");

/** False if an address of a URL's host is not public. True for a name without an address. */
export async function isPublicHost(hostname: string): Promise<boolean> {
  const found = await lookup(hostname.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
  return found.every(({ address, family }) => !special.check(address, family === 6 ? "ipv6" : "ipv4"));
}
