/**
 * Sets variables that native libraries read when they are loaded; what the user set stays. It has to be the process's own
 * environment: a thread's is a copy, unless it was started with `SHARE_ENV`.
 */
export function tellLibraries(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) process.env[name] ??= value;
}
