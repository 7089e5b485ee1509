import { createOutbound } from '@posthorn/outbound';
import { type Answer, channelConformance, type Received } from '@posthorn/testing';
import { type StandInAnswer, type Trouble, teamsStandIn } from '@posthorn/testing/teams-stand-in';
import { describe, test } from 'vitest';
import { teamsChannel } from '../src/index.js';

const troubles: Partial<Record<Answer, StandInAnswer | Trouble>> = {
  failure: { status: 502, body: '{"error":{"code":"NoResponse"}}' },
  refusal: { status: 200, body: '<html><body>Blocked by the proxy</body></html>' },
  gone: { status: 404, body: '{"error":{"code":"WorkflowNotFound"}}' },
  echo: 'echo',
  hangup: 'hangup',
  never: 'never',
  flood: { status: 202, body: 'x'.repeat(1024 * 1024) },
};

channelConformance({
  runner: { describe, test },
  async open() {
    const teams = await teamsStandIn();
    const outbound = createOutbound(teams.channelOptions.outbound);
    const { workflowUrl: workflow_url } = teams;
    return {
      channel: teamsChannel({ ...teams.channelOptions, outbound }),
      configs: [
        { workflow_url },
        { workflow_url, card_template: null },
        {
          workflow_url,
          card_template:
            '{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"{{ event_type }}"}]}',
        },
      ],
      secrets: [new URL(workflow_url).searchParams.get('sig')!],
      answer(how, seconds = 1) {
        const limited = {
          status: 429,
          headers: { 'retry-after': String(seconds) },
        };
        const trouble = how === 'rate_limited' ? limited : troubles[how];
        teams.answerNext(trouble ?? 'never', trouble ? Number.POSITIVE_INFINITY : 0);
      },
      received: (): Received[] =>
        teams.requests.map(({ body }) => ({
          eventId: /evt_[0-9A-Za-z]{22}/.exec(body)?.[0] ?? '',
          parts: { body },
        })),
      async close() {
        await outbound.close();
        await teams.close();
      },
    };
  },
  skip: {
    'send/the payload reaches the receiver unchanged':
      'a card is for people and shows the first fields, cut to the limits of Teams',
  },
});
