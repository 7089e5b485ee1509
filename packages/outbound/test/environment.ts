import { onTestFinished } from 'vitest';

/** Sets variables of the environment until the test is over. */
export function environment(variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables);
  onTestFinished(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
}
