import type { CommandContext, Progress } from "@slidelight/contract";
import type { TrainConfig } from "./config.ts";

/** What a training was asked for, and by whom. */
export interface Call {
  readonly config: TrainConfig;
  readonly context: CommandContext;
  readonly progress: Progress;
}
