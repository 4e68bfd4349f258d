import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { withLock } from '../../scripts/lib/lock.mjs';

let folder: string;
let lock: string;

beforeEach(async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  folder = await mkdtemp(join(tmpdir(), 'streamgate-lock-'));
  lock = join(folder, 'lock');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

/** Work that counts how many are at it at once, over a few turns of the event loop. */
function crowd() {
  let inside = 0;
  const seen: number[] = [];
  const work = async (): Promise<void> => {
    seen.push((inside += 1));
    await readdir(folder);
    inside -= 1;
  };
  return { seen, work };
}

it('admits one at a time, and leaves no files', async () => {
  const { seen, work } = crowd();
  await Promise.all(Array.from({ length: 5 }, () => withLock(lock, work)));
  expect(seen).toEqual([1, 1, 1, 1, 1]);
  expect(await readdir(folder)).toEqual([]);
});

it('opens again when the work fails, and passes the failure on', async () => {
  await expect(withLock(lock, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await expect(withLock(lock, async () => 'next')).resolves.toBe('next');
});

it('reports that it waits', async () => {
  const ended = new AbortController();
  const first = withLock(lock, () => once(ended.signal, 'abort'));
  const second = withLock(lock, async () => 'second');
  await vi.waitFor(() =>
    expect(process.stderr.write).toHaveBeenCalledWith(expect.stringContaining('waiting for it')),
  );
  ended.abort();
  await first;
  await expect(second).resolves.toBe('second');
});

it('takes a lock that a killed process left, also when several want it', async () => {
  await mkdir(lock);
  const past = new Date(Date.now() - 60_000);
  await utimes(lock, past, past);
  const { seen, work } = crowd();
  await Promise.all([withLock(lock, work), withLock(lock, work), withLock(lock, work)]);
  expect(seen).toEqual([1, 1, 1]);
  expect(await readdir(folder)).toEqual([]);
});
