import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newId, Problem, type ProjectId } from "../../../src/kernel/index.ts";
import { decrypt, encrypt, keyId } from "../../../src/services/secrets/encryption.ts";
import { createSecretKeys } from "../../../src/services/secrets/keys.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shipinator-keys-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const place = { project_id: newId<ProjectId>(), name: "TOKEN" };
const lines = () => readFileSync(join(directory, "secret-keys"), "utf8").trim().split("\n");

describe("the keys' file", () => {
  it("is made at the first use, once, for its owner alone", () => {
    const keys = createSecretKeys(directory, null);
    expect(keys.present()).toEqual([]);
    const [first] = keys.ensure();
    expect(createSecretKeys(directory, null).ensure()).toEqual([first]);
    expect(first).toHaveLength(32);
    expect(statSync(join(directory, "secret-keys")).mode & 0o777).toBe(0o600);
  });

  it("has the new key first while everything is sealed anew, and loses those that seal nothing afterwards", () => {
    const keys = createSecretKeys(directory, null);
    const [old] = keys.ensure();
    const [fresh, ...others] = keys.renew();
    expect(others).toEqual([old]);
    expect(lines()).toEqual([fresh, old].map((key) => key?.toString("base64")));
    keys.prune(new Set([keyId(fresh as Buffer)]));
    expect(keys.present()).toEqual([fresh]);
  });

  it("loses no key that still seals something, however many changes were cut short", () => {
    const keys = createSecretKeys(directory, null);
    const sealed = encrypt(keys.ensure(), place, "a value");
    keys.renew();
    keys.renew();
    expect(lines()).toHaveLength(3);
    keys.prune(new Set([sealed.key_id]));
    expect(lines()).toHaveLength(2);
    expect(decrypt(keys.present(), sealed)).toBe("a value");
  });

  it.each(["", "no key\n", "AAAA\n", `${"A".repeat(44)}\n`])("is refused with %j in it", (text) => {
    writeFileSync(join(directory, "secret-keys"), text, { mode: 0o600 });
    expect(() => createSecretKeys(directory, null).present()).toThrow(/what is in it is no key/);
    // Nothing is made in its place: what it has sealed would be lost.
    expect(() => createSecretKeys(directory, null).ensure()).toThrow(Problem);
  });
});

describe("a sealed secret", () => {
  const ring = [Buffer.alloc(32, 1)];

  it("opens where it was sealed for, and nowhere else", () => {
    const sealed = encrypt(ring, place, "a välue\n");
    expect(decrypt(ring, sealed)).toBe("a välue\n");
    expect(() => decrypt(ring, { ...sealed, name: "OTHER" })).toThrow(/was changed/);
    expect(() => decrypt(ring, { ...sealed, project_id: newId<ProjectId>() })).toThrow(/was changed/);
    expect(() => decrypt([Buffer.alloc(32, 2)], sealed)).toThrow(/not among this server's keys/);
  });

  it("is another each time, and every byte of it counts", () => {
    const sealed = encrypt(ring, place, "a value");
    expect(Buffer.from(sealed.encrypted).equals(Buffer.from(encrypt(ring, place, "a value").encrypted))).toBe(
      false,
    );
    expect(Buffer.from(sealed.encrypted).includes("a value")).toBe(false);
    for (let at = 0; at < sealed.encrypted.length; at++) {
      const changed = Buffer.from(sealed.encrypted);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => decrypt(ring, { ...sealed, encrypted: changed })).toThrow(/was changed/);
    }
    expect(sealed.key_id).toBe(keyId(Buffer.alloc(32, 1)));
  });
});
