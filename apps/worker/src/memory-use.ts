import { readdir, readFile } from "node:fs/promises";

/** Of Linux on x64 and most other processors. */
const pageBytes = 4096;

/** Resident bytes of this process and of those that it started; of itself alone where the system does not tell of them. */
export async function usedBytes(): Promise<number> {
  const children = await childrenOf("/proc/self").catch(() => []);
  const sizes = await Promise.all(children.map((id) => residentBytes(`/proc/${id}`).catch(() => 0)));
  return sizes.reduce((sum, bytes) => sum + bytes, process.memoryUsage.rss());
}

/** Each thread of a process has its own list. */
async function childrenOf(folder: string): Promise<readonly string[]> {
  const threads = await readdir(`${folder}/task`);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`${folder}/task/${thread}/children`, "utf8").catch(() => "")),
  );
  return lists
    .join(" ")
    .split(" ")
    .filter((id) => id !== "");
}

async function residentBytes(folder: string): Promise<number> {
  const [, pages = "0"] = (await readFile(`${folder}/statm`, "utf8")).split(" ");
  return Number(pages) * pageBytes;
}
