import { expect, test } from 'vitest';
import type { Principal } from '../auth/principal.js';
import { QueueController } from './queue.controller.js';
import type { QueueEntry } from './queue.dto.js';
import type { QueueService } from './queue.service.js';

const ANN = { userId: 'ann', roles: [], isAdmin: false, guest: false, expiresAt: Infinity } as Principal;

test('Pages of a queue have each entry once, in order, and the last page has no cursor', async () => {
  const entries = ['1', '2', '3', '4', '5'].map((queueId) => ({ queueId }) as QueueEntry);
  const page: QueueService['page'] = (_userId, afterId, limit) =>
    Promise.resolve(entries.filter(({ queueId }) => queueId > afterId).slice(0, limit));
  const controller = new QueueController({ page } as Partial<QueueService> as QueueService);
  const pages: string[][] = [];
  for (let cursor: string | undefined = '0'; cursor !== undefined;) {
    const { items, nextCursor } = await controller.page(ANN, 'ann', { limit: 2, cursor });
    pages.push(items.map(({ queueId }) => queueId));
    cursor = nextCursor;
  }
  expect(pages).toEqual([['1', '2'], ['3', '4'], ['5']]);
});
