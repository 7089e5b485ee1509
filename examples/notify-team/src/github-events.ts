import { createRequire } from 'node:module';

/** What GitHub says of one thing, as far as it is told on. */
interface Thing {
  readonly number?: number;
  readonly title?: string;
  readonly tag_name?: string;
  readonly rule?: { readonly description: string };
  readonly body?: string | null;
  readonly labels?: readonly { readonly name: string }[];
  readonly html_url: string;
  readonly created_at: string;
  readonly published_at?: string;
}

type Things = { readonly [kind in 'comment' | 'alert' | 'issue' | 'pull_request' | 'release']?: Thing };

interface GithubPayload extends Things {
  readonly action: string;
  readonly repository: { readonly full_name: string };
  readonly sender: { readonly login: string };
}

/** What GitHub sends, as it publishes it. */
const kinds = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly {
  readonly name: string;
  readonly examples: readonly GithubPayload[];
}[];

/**
 * GitHub's payload of `name` with this action, as an event of ours: what people want to know of its ten kilobytes, in the
 * words that they will read.
 */
function told(name: string, action: string) {
  const payload = kinds
    .find((kind) => kind.name === name)
    ?.examples.find((example) => example.action === action);
  if (!payload) throw new Error(`GitHub has no example of ${name}.${action}`);
  const { repository, sender, comment, alert, issue, pull_request: pull, release } = payload;
  const thing = alert ?? issue ?? pull ?? release;
  const news = comment ?? thing;
  const kind = alert ? 'alert' : issue ? 'issue' : pull ? 'pull request' : release ? 'release' : 'repository';
  const number = thing?.number === undefined ? '' : `#${thing.number}`;
  return {
    type: `${name}.${action}`,
    occurredAt: new Date(news!.published_at ?? news!.created_at),
    subject: { type: kind, id: `${repository.full_name}${number}` },
    orderingKey: repository.full_name,
    // What is undefined is left out of the JSON.
    payload: {
      title: thing?.title ?? thing?.tag_name ?? thing?.rule?.description,
      text: news?.body ?? undefined,
      labels: thing?.labels?.map((label) => label.name).join(', ') || undefined,
      author: sender.login,
      link: news?.html_url,
    },
  };
}

export const githubEvents: readonly ReturnType<typeof told>[] = [
  told('issues', 'opened'),
  told('pull_request', 'opened'),
  told('release', 'published'),
  told('code_scanning_alert', 'created'),
  told('issue_comment', 'created'),
  told('issue_comment', 'edited'),
  told('commit_comment', 'created'),
  told('pull_request_review_comment', 'created'),
];
