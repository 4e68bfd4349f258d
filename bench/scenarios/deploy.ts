import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from '../harness/figures.js';
import { startProgram, type ServerProcess } from '../harness/processes.js';
import { isWanted, Rows, type Context, type Scenario } from '../harness/scenario.js';
import type { DeployCrowd, DeployResult } from '../load/deploy.js';
import { startBareWithRecovery, startStreamgate } from '../servers/programs.js';
import { freePort } from '../../src/platform/database/embedded/free-port.js';

const CLIENTS = 2000;
const ROOM_SIZE = 10;
/** As long as everybody writes before the server goes. */
const BEFORE_MS = 5000;

interface Subject {
  start: () => Promise<ServerProcess>;
  bare: boolean;
}

/** A server that is replaced under its clients, the next one on its port as soon as that is free. */
export const deploy: Scenario = {
  about: 'SIGTERM under 2,000 clients, the next server on the port at once: who is back, when, with what',
  async run(context) {
    const rows = new Rows();
    const subjects: Record<string, () => Promise<Subject>> = {
      'bare Socket.IO, recovery': async () => {
        const port = await freePort();
        return { start: () => startBareWithRecovery(context.cleanup, port), bare: true };
      },
      streamgate: async () => {
        const env = {
          ...{ PORT: String(await freePort()), SHUTDOWN_SPREAD_MS: '5000', SHUTDOWN_GRACE_MS: '30000' },
          DATABASE_URL: await context.database.create(context.cleanup),
        };
        return { start: () => startStreamgate({ ...context, env }), bare: false };
      },
    };
    for (const [name, prepare] of Object.entries(subjects)) {
      if (isWanted(context.options, name)) await measure(context, rows, await prepare());
    }
    return rows.list();
  },
};

async function measure(context: Context, rows: Rows, { start, bare }: Subject): Promise<void> {
  const { options, cleanup, say } = context;
  const clients = options.clients ?? CLIENTS;
  const server = await start();
  const remote = startProgram('load/deploy.js', cleanup);
  say(`${server.name}: ${clients} clients arrive`);
  const crowd: DeployCrowd = { url: server.url, name: 'deploy', clients, roomSize: ROOM_SIZE, bare };
  await remote.call('gather', crowd);
  await delay(BEFORE_MS);
  say(`${server.name}: the server goes`);
  const gone = server.terminate();
  await free(server.url);
  await start();
  const result = await remote.call<DeployResult>('finish');
  await gone;
  const sorted = result.outageMs.toSorted();
  rows.add(`${clients} clients in rooms of ${ROOM_SIZE}, default back-off`, server.name, {
    'back %': result.backShare * 100,
    'messages delivered %': result.deliveredShare * 100,
    'sent again %': result.repeatedShare * 100,
    'away p50 ms': percentile(sorted, 0.5),
    'away p95 ms': percentile(sorted, 0.95),
    'away p99 ms': percentile(sorted, 0.99),
    'away max ms': sorted.at(-1) ?? Number.NaN,
  });
}

/** Resolves when nobody listens there any more. */
async function free(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  for (;;) {
    const taken = await new Promise<boolean>((done) => {
      const socket = connect(Number(port), hostname);
      socket.once('error', () => done(false)).once('connect', () => done(true));
      socket.once('connect', () => socket.destroy());
    });
    if (!taken) return;
    await delay(20);
  }
}
