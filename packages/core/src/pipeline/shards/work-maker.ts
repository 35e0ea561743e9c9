import type { Engine } from "../../engine/engine.ts";
import { runFormatVersion } from "../run-id.ts";
import { workFormatVersion } from "./work-plan.ts";

/**
 * What decides the last bits of a part, and how it is written down: parts of one maker fit together, whichever worker made
 * them; parts of two never do.
 */
export interface WorkMaker {
  /** Of the engine, as its provider and version are. */
  readonly name: string;
  readonly provider: string;
  readonly version: string;
  /** Of results and of parts. */
  readonly format: string;
}

export function makerOf({ name, provider, version }: Pick<Engine, "name" | "provider" | "version">): WorkMaker {
  return { name, provider, version, format: `${runFormatVersion}.${workFormatVersion}` };
}

export function isSameMaker(one: WorkMaker, other: WorkMaker): boolean {
  return describeMaker(one) === describeMaker(other);
}

/** For people, and to be told from any other. */
export function describeMaker({ name, provider, version, format }: WorkMaker): string {
  return `${name} ${version} on ${provider}, format ${format}`;
}
