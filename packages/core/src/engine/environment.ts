/**
 * Sets variables that native libraries read when they are loaded; what the user set stays. It has to be the process's own
 * environment: a thread's is a copy.
 */
export function tellLibraries(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) process.env[name] ??= value;
}
