import { onTestFinished } from 'vitest';

/** Sets environment variables until the test ends. */
export function environment(variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables);
  onTestFinished(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
}
