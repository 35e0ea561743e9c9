// Loads the app that a sub-command belongs to: a machine needs only the apps whose commands it runs.
import { setMaxListeners } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const apps = {
  explain: "@slidelight/worker",
  worker: "@slidelight/worker",
  inspect: "@slidelight/worker",
  engines: "@slidelight/worker",
  train: "@slidelight/trainer",
  evaluate: "@slidelight/trainer",
  enqueue: "@slidelight/producer",
  status: "@slidelight/producer",
  watch: "@slidelight/producer",
  simulate: "@slidelight/simulator",
  cancel: "@slidelight/producer",
  retry: "@slidelight/producer",
  pause: "@slidelight/producer",
  resume: "@slidelight/producer",
  report: "@slidelight/producer",
  schedule: "@slidelight/producer",
  schedules: "@slidelight/producer",
  unschedule: "@slidelight/producer",
  planner: "@slidelight/producer",
};

const help = `Usage: slidelight <command> [options]

Exact, full-resolution explanation maps of images of any size.

  explain <image…>            explain images here, without a queue
  inspect <file>              tell what an image or a model is, and whether it can be tiled
  engines                     tell which engines compute here, and how fast
  train <folder|csv>          train a U-Net as a classifier, from images with a label each
  evaluate <csv>              judge a classifier and its maps on images with masks

  enqueue <source…>           add one job for each image of a prefix or a list
  worker                      explain the queue's images
  status                      tell what waits, runs, is done and has failed
  watch                       follow the queue
  cancel <run|key|job…>       stop what runs, remove what waits
  retry --failed              put what has failed back
  pause, resume               let workers take no more jobs, and take them again
  report                      tell what was done, skipped and failed, and why

  schedule <name> <source…>   add what is new or changed at certain times, such as every night
  schedules                   list the schedules, what their last run did, and when the next one is
  unschedule <name>           end a schedule
  planner                     do what the schedules say

  simulate                    tell how long an archive would take, and what it would cost

slidelight <command> --help tells a command's options.
Exit status: 0 all done, 1 something failed, 2 wrong usage: options that can't be used, as is told before a
model or an image is opened. A class, a layer, a level or a place that is not there is a failure: 1.
`;

const interrupted = 130;

async function main() {
  const argv = process.argv.slice(2);
  const [command] = argv;
  if (command === undefined || command === "--help" || command === "-h" || command === "help") {
    (command === undefined ? process.stderr : process.stdout).write(help);
    return command === undefined ? 2 : 0;
  }
  if (command === "--version" || command === "-V") {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    process.stdout.write(`${version}\n`);
    return 0;
  }
  if (!Object.hasOwn(apps, command)) {
    process.stderr.write(`✗ [usage] There is no command "${command}": slidelight --help lists them.\n`);
    return 2;
  }
  const app = apps[command];
  let entry;
  try {
    entry = import.meta.resolve(app);
  } catch {
    process.stderr.write(`✗ [usage] "${command}" needs the package ${app}, which is not installed here.\n`);
    return 2;
  }
  if (!existsSync(fileURLToPath(entry))) {
    process.stderr.write(`✗ [usage] ${app} is not built: run "npm run build".\n`);
    return 2;
  }
  const { run } = await import(entry);
  const interruption = new AbortController();
  // Every request in flight listens to it.
  setMaxListeners(0, interruption.signal);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      if (interruption.signal.aborted) process.exit(interrupted);
      interruption.abort(new Error(`${signal} was received`));
    });
  }
  const { env, stdin, stdout, stderr } = process;
  return run(argv, { environment: env, folder: process.cwd(), stdin, stdout, stderr, signal: interruption.signal });
}

// A reader that left (`| head`) is no failure.
process.stdout.on("error", (error) => process.exit(error.code === "EPIPE" ? 0 : 1));
// Nor is one who does not read what is told meanwhile: the work goes on.
process.stderr.on("error", (error) => {
  if (error.code !== "EPIPE") process.exit(1);
});
process.exitCode = await main();
