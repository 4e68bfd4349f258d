import { percentile } from '../harness/figures.js';
import { startProgram, type ServerProcess } from '../harness/processes.js';
import { isWanted, Rows, spent, type Context, type Scenario } from '../harness/scenario.js';
import type { JitterCrowd, JitterLoad, JitterResult } from '../load/jitter.js';
import { startBareWithRecovery, startStreamgate } from '../servers/programs.js';

const DEFAULTS = { seconds: 60, clients: 2000, rate: 2 };
const LIFE_MS = 15_000;
const AWAY_MS = 2000;

interface Subject {
  start: () => Promise<ServerProcess>;
  bare: boolean;
}

/** What arrives where connections die all the time, and how soon who comes back has everything. */
export const jitter: Scenario = {
  about: 'connections that die every 15 s: delivered share, repeats, time until who is back has everything',
  async run(context) {
    const { options, cleanup } = context;
    const rows = new Rows();
    const clients = options.clients ?? DEFAULTS.clients;
    const subjects: Record<string, Subject> = {
      'bare Socket.IO, recovery': { start: () => startBareWithRecovery(cleanup), bare: true },
      streamgate: {
        start: () => startStreamgate({ ...context, env: { MAX_CONVERSATION_MEMBERS: String(clients + 1) } }),
        bare: false,
      },
    };
    for (const roomSize of options.rooms ?? [clients]) {
      for (const [name, { start, bare }] of Object.entries(subjects)) {
        if (!isWanted(options, name)) continue;
        await measure({ context, rows, server: await start(), crowd: { clients, roomSize, bare } });
      }
    }
    return rows.list();
  },
};

interface Measurement {
  context: Context;
  rows: Rows;
  server: ServerProcess;
  crowd: Omit<JitterCrowd, 'url' | 'name'>;
}

async function measure({ context, rows, server, crowd }: Measurement): Promise<void> {
  const { options, cleanup, database, say } = context;
  const { seconds = DEFAULTS.seconds, rate = DEFAULTS.rate } = options;
  const remote = startProgram('load/jitter.js', cleanup);
  say(`${server.name}: ${crowd.clients} clients arrive`);
  await remote.call('gather', { ...crowd, url: server.url, name: `jitter-${crowd.roomSize}` });
  const load: JitterLoad = { seconds, rate, lifeMs: LIFE_MS, awayMs: AWAY_MS };
  say(`${server.name}: connections die for ${seconds} s`);
  const work = () => remote.call<JitterResult>('run', load);
  const { result, cpuUs, databaseUs, wallUs } = await spent(server, database, work);
  if (options.profile) await context.profile(server, work);
  const sorted = result.replayMs.toSorted();
  const { clients, roomSize } = crowd;
  rows.add(`${clients} clients in rooms of ${roomSize}, ${rate} messages/s each`, server.name, {
    'messages delivered %': result.deliveredShare * 100,
    'sent again %': result.repeatedShare * 100,
    cuts: result.cuts,
    'replay p50 ms': percentile(sorted, 0.5),
    'replay p99 ms': percentile(sorted, 0.99),
    'replay max ms': sorted.at(-1) ?? Number.NaN,
    'server cores': cpuUs / wallUs,
    'database cores': databaseUs / wallUs,
    'load cores': result.cpuUs / wallUs,
  });
}
