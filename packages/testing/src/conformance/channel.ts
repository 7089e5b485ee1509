import { abortRules } from './channel/abort.js';
import { answerRules } from './channel/answers.js';
import { configRules } from './channel/config.js';
import { digestRules } from './channel/digest.js';
import { failureRules } from './channel/failure.js';
import type { ChannelHarness, ChannelRule } from './channel/harness.js';
import { previewRules } from './channel/preview.js';
import { secretRules } from './channel/secrets.js';
import { sendRules } from './channel/send.js';
import { register } from './rule.js';

export type {
  Answer,
  ChannelHarness,
  ChannelRule,
  ChannelUnderTest,
  Received,
} from './channel/harness.js';

/** All rules for a channel, to run them without a test runner. */
export const channelRules: readonly ChannelRule[] = [
  ...configRules,
  ...secretRules,
  ...sendRules,
  ...answerRules,
  ...failureRules,
  ...abortRules,
  ...digestRules,
  ...previewRules,
];

/**
 * Tests a channel against the receiver of the harness: registers one test for each rule with the harness's runner.
 * Throws `invalid_option` for a skip that matches no rule or has no reason.
 */
export function channelConformance<Configs>(harness: ChannelHarness<Configs>): void {
  register('channel conformance', channelRules, harness);
}
