import { expect, test } from 'vitest';
import { PauseGate } from './pause-gate.js';

test('A gate opens for who waits, and takes no older news', async () => {
  const heard: boolean[] = [];
  const gate = new PauseGate({ paused: false, version: 4 }, (paused) => heard.push(paused));
  const { signal } = new AbortController();
  await gate.opened(signal);
  gate.hear({ paused: true, version: 5 });
  const opened = gate.opened(signal);
  gate.hear({ paused: false, version: 5 });
  gate.hear({ paused: false, version: 3 });
  expect(gate.paused).toBe(true);
  gate.hear({ paused: false, version: 6 });
  await opened;
  gate.hear({ paused: true, version: 5 });
  expect(gate.paused).toBe(false);
  expect(heard).toEqual([true, false]);
});

test('A gate that missed a resume knows the newer pause, and says so: its time begins anew', () => {
  const heard: boolean[] = [];
  const gate = new PauseGate({ paused: true, version: 1 }, (paused) => heard.push(paused));
  gate.hear({ paused: true, version: 3 });
  expect(gate.version).toBe(3);
  expect(heard).toEqual([true]);
});

test('Waiting before a closed gate ends with its signal', async () => {
  const gate = new PauseGate({ paused: true, version: 1 });
  const aborting = new AbortController();
  const opened = gate.opened(aborting.signal);
  aborting.abort();
  await expect(opened).rejects.toMatchObject({ name: 'AbortError' });
});
