import { openOpenVinoEngine } from "../../packages/core/src/engine/openvino/index.ts";
import { engineConformance } from "./conformance.ts";

/** Why OpenVINO can't be tested on this machine. */
async function missing(): Promise<string | undefined> {
  try {
    const engine = await openOpenVinoEngine();
    await engine[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

engineConformance("openvino cpu", () => openOpenVinoEngine(), await missing());
