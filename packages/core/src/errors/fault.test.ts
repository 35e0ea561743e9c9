import { expect, it } from "vitest";
import { errorOf, faultOf } from "./fault.ts";
import { SlidelightError } from "./slidelight-error.ts";

it("tells another thread of an error all that is printed of it", () => {
  const cause = new Error("no space", { cause: new Error("disk") });
  const error = new SlidelightError("image-corrupt", "Decoding failed.", { detail: { row: 3 }, cause });
  const made = errorOf(structuredClone(faultOf(error)));
  expect(made).toBeInstanceOf(SlidelightError);
  expect(made).toMatchObject({ code: "image-corrupt", message: "Decoding failed.", detail: { row: 3 } });
  expect(made.cause).toMatchObject({ message: "no space", cause: { message: "disk" } });
  const plain = errorOf(structuredClone(faultOf("a word")));
  expect(plain).not.toBeInstanceOf(SlidelightError);
  expect(plain.message).toBe("a word");
});
