import { setTimeout as delay } from 'node:timers/promises';
import { Cleanup } from '../harness/cleanup.js';
import { percentile } from '../harness/figures.js';
import { startProgram, type ServerProcess } from '../harness/processes.js';
import { isWanted, Rows, spent, type Context, type Scenario } from '../harness/scenario.js';
import type { AnswerCrowd, LatenessResult } from '../load/answers.js';
import { startBare, startStreamgate } from '../servers/programs.js';
import { startProvider } from '../servers/start-provider.js';

const DEFAULTS = { seconds: 10, rounds: 1, clients: 1000 };
const EVERY_MS = 20;
const MODEL = `paced-${EVERY_MS}`;
/** Streams begin over so long, and then run for a while before anything is counted. */
const BEGIN_MS = 5000;
const SETTLE_MS = 3000;

/** Many answers at once, each at the pace of a model. */
export const streams: Scenario = {
  about: '1,000 answers at once, 50 tokens per second each: how late tokens arrive, CPU cores of the service',
  async run(context) {
    const { options, say } = context;
    const rows = new Rows();
    const starts: Record<string, Start> = {
      'bare Socket.IO': (cleanup, url) => startBare(cleanup, url),
      streamgate: (cleanup, url) =>
        startStreamgate({ ...context, cleanup, providerUrl: url, env: { LLM_MODEL: MODEL } }),
    };
    for (const [name, start] of Object.entries(starts)) {
      if (!isWanted(options, name)) continue;
      say(`${name}: answers begin`);
      await measure({ context, rows, start });
    }
    return rows.list();
  },
};

type Start = (cleanup: Cleanup, providerUrl: string) => Promise<ServerProcess>;

interface Measurement {
  context: Context;
  rows: Rows;
  start: Start;
}

/** One server after the other, each with a provider and readers of its own: together they would not fit the machine. */
async function measure({ context, rows, start }: Measurement): Promise<void> {
  const { options, database, say } = context;
  const cleanup = new Cleanup();
  context.cleanup.add(() => cleanup.run());
  const clients = options.clients ?? DEFAULTS.clients;
  const seconds = options.seconds ?? DEFAULTS.seconds;
  const { url, provider } = await startProvider(cleanup);
  const server = await start(cleanup, url);
  const remote = startProgram('load/answers.js', cleanup);
  await remote.call('gather', { url: server.url, name: 'reader', clients } satisfies AnswerCrowd);
  await remote.call('startAll', { model: MODEL, overMs: BEGIN_MS });
  await delay(SETTLE_MS);
  for (let round = 1; round <= (options.rounds ?? DEFAULTS.rounds); round += 1) {
    await provider.call('takePacedTokens');
    const used = await spent(server, database, () => remote.call<LatenessResult>('lateness', { seconds }));
    const offered = (await provider.call<number>('takePacedTokens')) / (used.wallUs / 1_000_000);
    const sorted = used.result.latenessMs.toSorted();
    rows.add(`${clients} answers at ${1000 / EVERY_MS} tokens/s`, server.name, {
      'offered tokens/s': offered,
      'delivered tokens/s': used.result.perSecond,
      'lateness p50 ms': percentile(sorted, 0.5),
      'lateness p99 ms': percentile(sorted, 0.99),
      'lateness max ms': percentile(sorted, 1),
      'server cores': used.cpuUs / used.wallUs,
      'database cores': used.databaseUs / used.wallUs,
      'load cores': used.result.cpuUs / used.wallUs,
    });
    say(`round ${round}: ${server.name} ${Math.round(used.result.perSecond)} tokens/s`);
  }
  if (options.profile) await context.profile(server, () => remote.call('lateness', { seconds }));
  await cleanup.run();
}
