import { describe, expect, it } from "vitest";
import { createCache } from "../../../src/source/git/cache.ts";

describe("a memo", () => {
  it("asks once for each key, keeps null, and keeps no error", async () => {
    const memo = createCache<string | null>(10);
    let asked = 0;
    const ask = (answer: string | null) => async () => {
      asked += 1;
      return answer;
    };
    expect(await memo.once("a", ask("1"))).toBe("1");
    expect(await memo.once("a", ask("2"))).toBe("1");
    expect(await memo.once("b", ask(null))).toBeNull();
    expect(await memo.once("b", ask("3"))).toBeNull();
    expect(asked).toBe(2);
    await expect(memo.once("c", () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
    expect(await memo.once("c", ask("4"))).toBe("4");
  });

  it("forgets the oldest first, and keeps nothing large", async () => {
    const memo = createCache<string>(2, (answer) => answer.length < 10);
    const asked: string[] = [];
    const ask = async (key: string, answer = key) => {
      await memo.once(key, async () => {
        asked.push(key);
        return answer;
      });
    };
    for (const key of ["a", "b", "c", "c", "b", "a"]) await ask(key);
    expect(asked).toEqual(["a", "b", "c", "a"]);
    await ask("large", "x".repeat(10));
    await ask("large", "x".repeat(10));
    expect(asked.slice(4)).toEqual(["large", "large"]);
  });
});
