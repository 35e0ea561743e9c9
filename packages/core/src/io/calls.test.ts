import { describe, expect, it } from "vitest";
import { openCalls } from "./calls.ts";

const none = { withdraw: (): void => undefined };

describe("calls of another thread", () => {
  it("get their own answers, in whichever order these come", async () => {
    const calls = openCalls<string>();
    const sent: number[] = [];
    const [a, b, c] = ["a", "b", "c"].map(() => calls.ask((id) => sent.push(id), none));
    expect(new Set(sent).size).toBe(3);
    const [first = 0, second = 0, third = 0] = sent;
    calls.answer(second, "second");
    calls.fail(third, new Error("no"));
    calls.answer(first, "first");
    // Nobody waits for it any more.
    calls.answer(first, "again");
    await expect(a).resolves.toBe("first");
    await expect(b).resolves.toBe("second");
    await expect(c).rejects.toThrow("no");
  });

  it("fail where they can't be sent, and are forgotten", async () => {
    const calls = openCalls<string>();
    const ids: number[] = [];
    const refuse = (id: number): void => {
      ids.push(id);
      throw new Error("no way there");
    };
    await expect(calls.ask(refuse, none)).rejects.toThrow("no way there");
    calls.answer(ids[0] ?? 0, "late");
    const controller = new AbortController();
    const withdrawn: number[] = [];
    const options = { signal: controller.signal, withdraw: (id: number): number => withdrawn.push(id) };
    await expect(calls.ask(refuse, options)).rejects.toThrow("no way there");
    controller.abort();
    expect(withdrawn).toEqual([]);
  });

  it("end with the signal's reason, and are withdrawn", async () => {
    const calls = openCalls<string>();
    const withdrawn: number[] = [];
    const controller = new AbortController();
    const sent: number[] = [];
    const asked = calls.ask((id) => sent.push(id), { signal: controller.signal, withdraw: (id) => withdrawn.push(id) });
    controller.abort(new Error("enough"));
    await expect(asked).rejects.toThrow("enough");
    expect(withdrawn).toEqual(sent);
    const late = calls.ask((id) => sent.push(id), { signal: controller.signal, ...none });
    await expect(late).rejects.toThrow("enough");
    expect(sent).toHaveLength(1);
  });

  it("all fail once nobody is there to answer, those that come later too", async () => {
    const calls = openCalls<string>();
    const asked = calls.ask(() => undefined, none);
    calls.failAll(new Error("gone"));
    await expect(asked).rejects.toThrow("gone");
    await expect(calls.ask(() => undefined, none)).rejects.toThrow("gone");
  });
});
