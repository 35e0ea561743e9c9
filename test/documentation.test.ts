import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { anchorOf } from "./markdown.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const docs = readdirSync(join(root, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => join("docs", name));

/** A file of the sources, as pages name it: from the root, from the core's layers, or from an app's. */
function isSource(path: string): boolean {
  const [app = "", ...rest] = path.split("/");
  const places = [path, join("packages/core/src", path), join("apps", app, "src", ...rest)];
  return places.some((place) => existsSync(join(root, place)));
}

/** The text without its examples, in which anything may stand. */
function proseOf(page: string): string {
  return readFileSync(join(root, page), "utf8").replaceAll(/^```[\s\S]*?^```$/gmu, "");
}

function hasHeading(page: string, anchor: string): boolean {
  const headings = [...proseOf(page).matchAll(/^#+ (.*)$/gmu)];
  return headings.some(([, heading = ""]) => anchorOf(heading) === anchor);
}

describe.each(["README.md", "CHANGELOG.md", ...docs])("%s", (page) => {
  test("links to files and headings that are there", () => {
    const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/gu)].map(([, target = ""]) => target);
    const lost = links.filter((target) => {
      if (/^https?:/u.test(target)) return false;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      return !existsSync(join(root, file)) || (anchor !== undefined && !hasHeading(file, anchor));
    });
    expect(lost).toEqual([]);
  });

  test("names source files that are there", () => {
    const named = [...proseOf(page).matchAll(/`([\w.@-]+(?:\/[\w.@-]+)+\.(?:ts|mjs|yaml))`/gu)];
    expect(named.map(([, path = ""]) => path).filter((path) => !isSource(path))).toEqual([]);
  });
});
