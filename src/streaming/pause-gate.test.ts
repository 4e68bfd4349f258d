import { expect, test } from 'vitest';
import { PauseGate } from './pause-gate.js';

test('A gate opens for who waits, and takes no older news', async () => {
  const gate = new PauseGate({ paused: false, version: 4 });
  const { signal } = new AbortController();
  await gate.opened(signal);
  expect(gate.hear({ paused: true, version: 5 })).toBe(true);
  const opened = gate.opened(signal);
  expect(gate.hear({ paused: false, version: 5 })).toBe(false);
  expect(gate.hear({ paused: false, version: 3 })).toBe(false);
  expect(gate.paused).toBe(true);
  expect(gate.hear({ paused: false, version: 6 })).toBe(true);
  await opened;
  expect(gate.hear({ paused: true, version: 5 })).toBe(false);
  expect(gate.paused).toBe(false);
});

test('A gate that heard of a pause and its end at once stays open, and knows how far it heard', () => {
  const gate = new PauseGate({ paused: false, version: 0 });
  expect(gate.hear({ paused: false, version: 2 })).toBe(false);
  expect(gate.version).toBe(2);
});

test('Waiting before a closed gate ends with its signal', async () => {
  const gate = new PauseGate({ paused: true, version: 1 });
  const aborting = new AbortController();
  const opened = gate.opened(aborting.signal);
  aborting.abort();
  await expect(opened).rejects.toMatchObject({ name: 'AbortError' });
});
