import { createRequire } from 'node:module';

/** GitHub's own example payloads: 58 kinds of event with several payloads each. */
const kinds = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly {
  readonly name: string;
  readonly examples: readonly { readonly action?: string }[];
}[];

/** Each payload as one event: `issues` with the action `opened` becomes `issues.opened`. */
export const githubEvents: readonly { readonly type: string; readonly payload: object }[] = kinds.flatMap(
  ({ name, examples }) =>
    examples.map((payload) => ({ type: payload.action ? `${name}.${payload.action}` : name, payload })),
);
