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

/** All that a channel promises: for running it without a test runner. */
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
 * Proves a channel against a receiver that the harness brings: registers a test for each sentence of the port with
 * the harness's runner. Throws `invalid_option` for a skip that names no rule or has no reason.
 */
export function channelConformance<Configs>(harness: ChannelHarness<Configs>): void {
  register('channel conformance', channelRules, harness);
}
