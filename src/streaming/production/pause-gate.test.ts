import { expect, test } from 'vitest';
import { PauseGate } from './pause-gate.js';

test('A gate opens for waiting writers, and ignores older states', async () => {
  const applied: boolean[] = [];
  const gate = new PauseGate({ paused: false, version: 4 }, (paused) => applied.push(paused));
  const { signal } = new AbortController();
  await gate.opened(signal);
  gate.apply({ paused: true, version: 5 });
  const opened = gate.opened(signal);
  gate.apply({ paused: false, version: 5 });
  gate.apply({ paused: false, version: 3 });
  expect(gate.paused).toBe(true);
  gate.apply({ paused: false, version: 6 });
  await opened;
  gate.apply({ paused: true, version: 5 });
  expect(gate.paused).toBe(false);
  expect(applied).toEqual([true, false]);
});

test('A gate that missed a resume reports the newer pause, so that the time of the pause starts again', () => {
  const applied: boolean[] = [];
  const gate = new PauseGate({ paused: true, version: 1 }, (paused) => applied.push(paused));
  gate.apply({ paused: true, version: 3 });
  expect(gate.version).toBe(3);
  expect(applied).toEqual([true]);
});

test('Waiting at a closed gate ends with the signal', async () => {
  const gate = new PauseGate({ paused: true, version: 1 });
  const aborting = new AbortController();
  const opened = gate.opened(aborting.signal);
  aborting.abort();
  await expect(opened).rejects.toMatchObject({ name: 'AbortError' });
});
