/**
 * The service as `src/main.ts` starts it, with a probe. At SIGWINCH it collects the garbage and prints how large the heap
 * is, at SIGUSR2 it also counts objects, which takes a second. Each is a line that begins with `probe`; `target.ts` reads it.
 */
import 'reflect-metadata';
import { ServerResponse } from 'node:http';
import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Connection } from '../../src/gateway/connections/connection.js';
import { Ack } from '../../src/gateway/events/ack.js';
import { Room } from '../../src/gateway/rooms/room.js';
import { Viewer } from '../../src/streaming/viewers/viewer.js';

const CLASSES = { Connection, Room, Ack, Viewer, ServerResponse };

/** Counting collects the garbage first, and takes a tenth of a second for each class. */
function count(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, type] of Object.entries(CLASSES)) counts[name] = queryObjects(type, { format: 'count' });
  for (const resource of process.getActiveResourcesInfo()) counts[resource] = (counts[resource] ?? 0) + 1;
  return counts;
}

function write(counts: Record<string, number>): void {
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stdout.write(`probe ${JSON.stringify({ counts, heapUsed, external, rss })}\n`);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
process.on('SIGUSR2', () => write(count()));
process.on('SIGWINCH', () => {
  collectGarbage();
  write({});
});
await import('../../src/main.js');
