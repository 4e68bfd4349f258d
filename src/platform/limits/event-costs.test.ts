import { expect, test } from 'vitest';
import { LIMITS } from '../../protocol/index.js';
import { readConfig } from '../config/config.js';
import { costOf, POINT } from './event-costs.js';

const { RATE_LIMIT_EVENTS, QUEUE_MAX_SIZE } = readConfig({});
const BUDGET = RATE_LIMIT_EVENTS.points * POINT;

test('A client may ack each message of a full queue by itself, and have most of its budget left', () => {
  expect(QUEUE_MAX_SIZE * costOf('message:ack')).toBeLessThanOrEqual(BUDGET / 4);
});

test('A client that comes back may join all that it may have joined, and ask fifty pages of what it missed', () => {
  const joins = LIMITS.joinedConversations * costOf('conversation:join');
  expect(joins + 50 * costOf('message:history')).toBeLessThanOrEqual(BUDGET);
});

test('What asks the database costs more than what does not, and an unknown event costs as much as any', () => {
  for (const event of ['message:send', 'message:history', 'conversation:join', 'stream:recover', 'no:such'])
    for (const cheap of ['ping', 'typing:start', 'message:ack'])
      expect(costOf(event)).toBeGreaterThan(costOf(cheap));
  expect(costOf('toString')).toBe(POINT);
});
