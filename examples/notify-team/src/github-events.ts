import { createRequire } from 'node:module';

/** The fields of a GitHub object that are used. */
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

/** Example payloads, as GitHub publishes them. */
const kinds = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly {
  readonly name: string;
  readonly examples: readonly GithubPayload[];
}[];

/**
 * GitHub's payload of `name` with this action, as an event: the few fields of its ten kilobytes that people want to
 * read.
 */
function eventFrom(name: string, action: string) {
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
    // JSON leaves out undefined fields.
    payload: {
      title: thing?.title ?? thing?.tag_name ?? thing?.rule?.description,
      text: news?.body ?? undefined,
      labels: thing?.labels?.map((label) => label.name).join(', ') || undefined,
      author: sender.login,
      link: news?.html_url,
    },
  };
}

export const githubEvents: readonly ReturnType<typeof eventFrom>[] = [
  eventFrom('issues', 'opened'),
  eventFrom('pull_request', 'opened'),
  eventFrom('release', 'published'),
  eventFrom('code_scanning_alert', 'created'),
  eventFrom('issue_comment', 'created'),
  eventFrom('issue_comment', 'edited'),
  eventFrom('commit_comment', 'created'),
  eventFrom('pull_request_review_comment', 'created'),
];
