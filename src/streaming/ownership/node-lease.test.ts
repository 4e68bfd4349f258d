import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Config } from '../../platform/config/config.js';
import type { StreamRunners } from '../production/stream-runners.js';
import { NodeLease } from './node-lease.js';
import type { NodesStore } from './nodes.store.js';
import type { StreamClaims } from './stream-claims.js';

const LEASE_MS = 3000;
const RENEW_MS = LEASE_MS / 3;

/** The steps of this node, in order. */
let steps: string[];
/** Whether the lease was still held at its renewals. */
let isHeld: boolean;
let lease: NodeLease;

beforeEach(() => {
  vi.useFakeTimers();
  steps = [];
  isHeld = true;
  const step =
    <T>(name: string, result: T) =>
    () => {
      steps.push(name);
      return Promise.resolve(result);
    };
  const nodes = {
    renew: () => step('renew', isHeld)(),
    neighbours: () => Promise.resolve({ leaseUntil: '2026-01-01', others: 0 }),
    forgetDead: step('forgetDead', 0),
    leave: step('leave', undefined),
  };
  const claims = {
    compare: step('compare', undefined),
    interruptDead: step('interruptDead', undefined),
    endOverduePauses: step('endOverduePauses', undefined),
    claimAll: step('claimAll', undefined),
  };
  const runners = { leave: step('runners leave', undefined) };
  lease = new NodeLease(
    nodes as object as NodesStore,
    claims as object as StreamClaims,
    runners as object as StreamRunners,
    { STREAM_LEASE_MS: LEASE_MS } as Config,
  );
});

afterEach(async () => {
  await lease.leave();
  vi.useRealTimers();
});

test('A node renews its lease three times in its length, and then compares what runs here with the database (P5)', async () => {
  await lease.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(0);
  const own = (): string[] => steps.filter((name) => name === 'renew' || name === 'compare');
  expect(own()).toEqual(['renew', 'renew', 'compare']);
  await vi.advanceTimersByTimeAsync(RENEW_MS);
  expect(own().slice(3)).toEqual(['renew', 'compare']);
});

test('A sweep takes the streams of dead nodes, ends overdue pauses, and claims (P5)', async () => {
  await lease.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(0);
  const sweep = ['interruptDead', 'forgetDead', 'endOverduePauses', 'claimAll'];
  expect(steps.filter((name) => sweep.includes(name))).toEqual(sweep);
});

test('A node that lost its own lease declares no other dead for the length of one (P5)', async () => {
  await lease.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(0);
  isHeld = false;
  await vi.advanceTimersByTimeAsync(RENEW_MS);
  isHeld = true;
  steps = [];
  await vi.advanceTimersByTimeAsync(LEASE_MS - 1);
  expect(steps).toContain('claimAll');
  expect(steps).not.toContain('interruptDead');
  await vi.advanceTimersByTimeAsync(RENEW_MS);
  expect(steps).toContain('interruptDead');
});

test('A node that leaves gives up its lease last, once, and claims nothing more (P12)', async () => {
  await lease.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(0);
  steps = [];
  await Promise.all([lease.leave(), lease.beforeApplicationShutdown()]);
  await vi.advanceTimersByTimeAsync(2 * LEASE_MS);
  expect(steps).toEqual(['runners leave', 'leave']);
});
