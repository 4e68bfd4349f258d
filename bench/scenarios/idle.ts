import { setTimeout as delay } from 'node:timers/promises';
import { startProgram, type ServerProcess } from '../harness/processes.js';
import { isWanted, Rows, type Context, type Scenario } from '../harness/scenario.js';
import { startBare, startStreamgate } from '../servers/programs.js';

const WARM_UP = 200;
const SETTLE_MS = 1500;

/** Memory of a connection that is there and says nothing. */
export const idle: Scenario = {
  about: 'memory of an idle connection, at 1,000 (and with --big at 10,000) of them',
  async run(context) {
    const { options, cleanup } = context;
    const rows = new Rows();
    const starts = {
      'bare Socket.IO': () => startBare(cleanup),
      streamgate: () => startStreamgate(context),
    };
    const counts = options.big ? [1000, 10_000] : [options.clients ?? 1000];
    for (const count of counts) {
      for (const [name, start] of Object.entries(starts)) {
        if (isWanted(options, name)) await measure({ context, rows, count, server: await start() });
      }
    }
    return rows.list();
  },
};

interface Measurement {
  context: Context;
  rows: Rows;
  count: number;
  server: ServerProcess;
}

/** Counted from a server that has had connections before: what it loads once is no connection's. */
async function measure({ context: { cleanup, say }, rows, count, server }: Measurement): Promise<void> {
  const remote = startProgram('load/idle.js', cleanup);
  await remote.call('gather', { url: server.url, name: 'early', clients: WARM_UP });
  const before = await settled(server);
  await remote.call('gather', { url: server.url, name: 'idle', clients: count });
  const after = await settled(server);
  rows.add(`${count} connections`, server.name, {
    'heap KiB/connection': (after.heapBytes - before.heapBytes) / count / 1024,
    'RSS KiB/connection': (after.rssBytes - before.rssBytes) / count / 1024,
    'RSS in all MiB': after.rssBytes / 2 ** 20,
    'lost connections': await remote.call<number>('lost'),
  });
  say(`${count} connections: ${server.name} done`);
}

async function settled(server: ServerProcess) {
  await delay(SETTLE_MS);
  await server.collectGarbage();
  return server.usage();
}
