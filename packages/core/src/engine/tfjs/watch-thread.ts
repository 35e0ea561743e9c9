/**
 * Ends the process when whoever started it is gone. A computation blocks the process's main thread, which would learn of it only
 * afterwards.
 */
const starter = process.ppid;
setInterval(() => {
  if (process.ppid !== starter) process.kill(process.pid, "SIGKILL");
}, 1000);
