import { expect, test } from 'vitest';
import { newId } from './ids.js';

test('Ids are UUIDs of version 7, and no two share their randomness', () => {
  const ids = Array.from({ length: 5000 }, newId);
  for (const id of ids)
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect(new Set(ids.map((id) => id.slice(-12))).size).toBe(ids.length);
});

test('Ids of later milliseconds sort after earlier ones', async () => {
  const before = newId();
  await expect.poll(() => newId() > before).toBe(true);
  expect(Number.parseInt(before.replaceAll('-', '').slice(0, 12), 16)).toBeLessThanOrEqual(Date.now());
});
