import { describe, expect, it } from "vitest";
import { changedCredential, checkCredential } from "../../../src/services/catalog/clone-credential.ts";

describe("the credential of a repository", () => {
  it.each(["/srv/app", "file:///srv/app"])("is none for %s, which is read as it lies there", (url) => {
    expect(() => checkCredential(url, { clone_secret: "KEY" })).toThrow("takes no credential");
    const known = { clone_url: "https://git.example/a", clone_secret: "KEY", clone_username: null };
    expect(() => changedCredential(known, url, {})).toThrow("which would get the secret KEY");
    expect(changedCredential(known, url, { clone_secret: null })).toBeNull();
  });

  it.each([
    ["git@git.example:team/a", "git@GIT.example:b", false],
    ["git@git.example:team/a", "git@other.example:b", true],
    ["git@[::1]:a", "git@[::2]:a", true],
    ["https://git.example/a", "https://git.example/b", false],
    ["https://git.example/a", "https://git.example:444/a", true],
  ])("goes with a change from %s to %s without a word, unless the host is another", (from, to, refuses) => {
    const known = { clone_url: from, clone_secret: "KEY", clone_username: null };
    const change = () => changedCredential(known, to, {});
    if (refuses) expect(change).toThrow("which would get");
    else expect(change()).toEqual({ secret: "KEY", username: null });
  });
});
