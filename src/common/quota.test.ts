import { expect, test } from 'vitest';
import { Quota } from './quota.js';

test('a quota counts each key by itself, forgets those that hold nothing, and takes each return once', () => {
  const quota = new Quota(2);
  const [first, second] = [quota.acquire('ann'), quota.acquire('ann')];
  expect(quota.acquire('ann')).toBeUndefined();
  expect(quota.acquire('bob')).toBeDefined();
  expect(quota.size).toBe(2);
  first?.();
  first?.();
  const third = quota.acquire('ann');
  expect(quota.acquire('ann')).toBeUndefined();
  second?.();
  third?.();
  expect(quota.size).toBe(1);
});
