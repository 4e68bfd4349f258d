/** Preloaded into every server under test: tells what its process uses, and profiles it. */
import { writeFile } from 'node:fs/promises';
import { Session, type Profiler } from 'node:inspector/promises';
import { serve } from './rpc.js';
import type { Usage } from './processes.js';

const SAMPLING_US = 200;

let session: Session | undefined;

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return { cpuUs: user + system, rssBytes: rss, heapBytes: heapUsed };
}

function collectGarbage(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}

async function startProfile(): Promise<void> {
  session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  await session.post('Profiler.start');
}

async function stopProfile(file: string): Promise<void> {
  if (!session) throw new Error('no profile was started');
  const { profile }: { profile: Profiler.Profile } = await session.post('Profiler.stop');
  session.disconnect();
  session = undefined;
  await writeFile(file, JSON.stringify(profile));
}

serve({ usage, collectGarbage, startProfile, stopProfile });
// The probe alone keeps no server alive.
process.channel?.unref();
