import { openTfjsEngine } from "../../packages/core/src/engine/tfjs/index.ts";
import { engineConformance } from "./conformance.ts";

engineConformance("tfjs wasm", () => openTfjsEngine({ provider: "wasm" }));
