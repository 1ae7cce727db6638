import { expect, it } from "vitest";
import { isPublicHost } from "../../../src/source/lfs/public-host.ts";

it.each([
  "0.0.0.0",
  "10.0.0.1",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "198.19.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "[::]",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:a01:203]",
  "[64:ff9b::7f00:1]",
  "[fd00::1]",
  "[fe80::1]",
  "[ff02::1]",
])("%s is none of the internet", async (host) => {
  expect(await isPublicHost(new URL(`https://${host}/`).hostname)).toBe(false);
});

it.each(["1.1.1.1", "172.32.0.1", "192.0.2.1", "223.255.255.255", "[2606:4700::1111]", "[::ffff:101:101]"])(
  "%s is one of the internet",
  async (host) => {
    expect(await isPublicHost(new URL(`https://${host}/`).hostname)).toBe(true);
  },
);
