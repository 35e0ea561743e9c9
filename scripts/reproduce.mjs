// npm run reproduce: sets up and builds, then trains and judges what docs/evidence.md compares. Arguments go to reproduce/index.mjs.
import { mainAfterSetUp } from "./setup.mjs";

await mainAfterSetUp("reproduce/index.mjs");
