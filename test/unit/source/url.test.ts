import { describe, expect, it } from "vitest";
import { Problem } from "../../../src/kernel/index.ts";
import { allowedProtocols, resolveSubmoduleUrl } from "../../../src/source/git/url.ts";
import { checkUrl, type UrlPolicy } from "../../../src/source/index.ts";

const strict: UrlPolicy = { allowLocal: false, allowHttp: false };
const open: UrlPolicy = { allowLocal: true, allowHttp: true };

function refusal(url: string, policy: UrlPolicy = strict): Problem {
  try {
    checkUrl(url, policy);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error(`accepted: ${url}`);
}

describe("addresses that are accepted", () => {
  it.each([
    ["https://example.test/team/app.git", "https://example.test/team/app.git"],
    ["HTTPS://Example.TEST/Team/App.git/", "https://example.test/Team/App.git"],
    ["https://example.test:8443/app", "https://example.test:8443/app"],
    ["ssh://git@example.test:2222/team/app.git", "ssh://git@example.test:2222/team/app.git"],
    ["git@example.test:team/app.git", "git@example.test:team/app.git"],
    ["example.test:team/app.git/", "example.test:team/app.git"],
    ["git@[::1]:app.git", "git@[::1]:app.git"],
  ])("%s", (url, canonical) => {
    expect(checkUrl(url, strict)).toBe(canonical);
  });

  it.each([
    ["/srv/git/app.git/", "/srv/git/app.git"],
    ["/srv/with space/app", "/srv/with space/app"],
    ["file:///srv/git/app.git", "file:///srv/git/app.git"],
    ["http://example.test/app.git", "http://example.test/app.git"],
  ])("%s, where the policy allows it", (url, canonical) => {
    expect(checkUrl(url, open)).toBe(canonical);
  });

  it("is unchanged by a second check", () => {
    const once = checkUrl("HTTPS://Example.test/a/b/", strict);
    expect(checkUrl(once, strict)).toBe(once);
  });
});

describe("addresses that are refused", () => {
  it.each([
    ["", /empty/],
    ["ext::sh -c 'touch /tmp/owned'", /helper "ext".*any command/],
    ["fd::17", /helper "fd"/],
    ["EXT::sh", /helper/],
    ["--upload-pack=touch /tmp/owned", /begins with "-"/],
    ["-oProxyCommand=sh:x", /begins with "-"/],
    ["https://example.test/a\nb", /control character/],
    ["https://example.test/a\u0000b", /control character/],
    ["https://example.test/a\u001b[2Jb", /control character/],
    ["file:///etc", /file:\/\/ addresses are not allowed/],
    ["FILE:///etc", /file:\/\/ addresses are not allowed/],
    ["/etc", /path on the server's machine/],
    ["http://example.test/app.git", /anybody on the way/],
    ["git://example.test/app.git", /git:\/\/ are not allowed/],
    ["ftp://example.test/app.git", /ftp:\/\/ are not allowed/],
    ["https://", /not a valid URL/],
    ["https://example.test", /names a host but no repository/],
    ["https://example.test///", /names a host but no repository/],
    ["https://bad host/x", /not a valid URL/],
    ["ssh://-oProxyCommand=sh/x", /begins with "-"|not a valid URL/],
    ["ssh://-x@example.test/x", /begins with "-"/],
    ["git@-oProxyCommand=sh:x", /begins with "-"/],
    ["-x@host:repo", /begins with "-"/],
    ["host:-x", /begins with "-"/],
    ["./relative", /not a repository address/],
    ["../relative:x", /not a repository address/],
    ["just-a-name", /not a repository address/],
    [`https://example.test/${"a".repeat(2048)}`, /2069 characters/],
  ])("%j", (url, fact) => {
    const problem = refusal(url);
    expect(problem.code).toBe("source_refused");
    expect(problem.message).toMatch(fact);
    expect(problem.message).not.toMatch(/\p{Cc}/u);
  });

  it.each([
    "https://me:s3cret@example.test/a",
    "https://s3cret@example.test/a",
    "ssh://git:s3cret@example.test/a",
    "me:s3cret@example.test:team/a",
    "me:s3cret@example.test/team/a",
    "https://example.test/a?access_token=s3cret",
    "https://example.test/a#s3cret",
  ])("%s, without repeating the secret and with the way to do it", (url) => {
    const problem = refusal(url);
    expect(problem.message).toMatch(/would be stored and shown/);
    expect(`${problem.message} ${problem.remedy}`).not.toContain("s3cret");
    expect(problem.remedy).toMatch(/credential helper/);
  });

  it.each(["https://me:s3/cret@example.test/a", "https://me:s3cret@example.test/a\n"])(
    "%j, without repeating the secret",
    (url) => {
      expect(refusal(url).message).not.toMatch(/s3|cret/);
    },
  );

  it("also local ones with a relative path, where local ones are allowed", () => {
    expect(refusal("file://host/path", open).message).toMatch(/absolute\/path/);
    expect(refusal("file://", open).code).toBe("source_refused");
  });
});

describe("git's own allow-list", () => {
  it("follows the policy", () => {
    expect(allowedProtocols(strict)).toBe("https:ssh");
    expect(allowedProtocols(open)).toBe("https:ssh:http:file");
  });
});

describe("a submodule's address", () => {
  it.each([
    ["https://example.test/team/app.git", "../lib.git", "https://example.test/team/lib.git"],
    ["https://example.test/team/app.git/", "../../other/lib", "https://example.test/other/lib"],
    ["https://example.test/team/app.git", "./sub.git", "https://example.test/team/app.git/sub.git"],
    ["git@example.test:team/app.git", "../lib.git", "git@example.test:team/lib.git"],
    ["git@example.test:app.git", "../lib.git", "git@example.test:lib.git"],
    ["/srv/app", "../lib", "/srv/lib"],
    ["/srv/app", "https://example.test/lib", "https://example.test/lib"],
  ])("%s + %s", (base, url, whole) => {
    expect(resolveSubmoduleUrl(base, url)).toBe(whole);
  });

  it("that climbs over its host is no address any more", () => {
    const whole = resolveSubmoduleUrl("https://example.test/app", "../../lib");
    expect(() => checkUrl(whole, strict)).toThrow(Problem);
  });
});
