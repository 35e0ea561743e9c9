import { expect, it } from "vitest";
import { remembered, rememberedByName } from "./remembered.ts";

it("makes a value once for an object, also one that is nothing", () => {
  let made = 0;
  const valueOf = remembered((object: { readonly value: number | undefined }) => {
    made += 1;
    return object.value;
  });
  const [first, second] = [{ value: 1 }, { value: undefined }];
  expect([first, second, first, second].map(valueOf)).toEqual([1, undefined, 1, undefined]);
  expect(made).toBe(2);
});

it("makes a value once for an object and a name", () => {
  const valueOf = rememberedByName<string>();
  const [first, second] = [{}, {}];
  const ask = (object: object, name: string, value: string): string => valueOf(object, name, () => value);
  expect([ask(first, "a", "1"), ask(first, "b", "2"), ask(second, "a", "3")]).toEqual(["1", "2", "3"]);
  expect([ask(first, "a", "x"), ask(first, "b", "x"), ask(second, "a", "x")]).toEqual(["1", "2", "3"]);
});
