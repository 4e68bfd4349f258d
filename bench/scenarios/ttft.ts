import { percentile } from '../harness/figures.js';
import { startProgram, type ServerProcess } from '../harness/processes.js';
import type { Remote } from '../harness/rpc.js';
import { isWanted, Rows, type Context, type Scenario } from '../harness/scenario.js';
import type { AnswerCrowd } from '../load/answers.js';
import { startBare, startStreamgate } from '../servers/programs.js';
import { startProvider } from '../servers/start-provider.js';

const DEFAULT_SAMPLES = 300;
const WARM_UP = 100;
const MODEL = 'flood-20';

interface Way {
  name: string;
  firstToken: () => Promise<number>;
}

/** One question at a time, by each way in turns, to a provider that answers at once. */
export const ttft: Scenario = {
  about: 'time to the first token, beside that of talking to the provider directly',
  async run(context) {
    const { url } = await startProvider(context.cleanup);
    const ways = await prepare(context, url);
    for (let count = 0; count < WARM_UP; count += 1) for (const way of ways) await way.firstToken();
    const samples = new Map<Way, number[]>(ways.map((way) => [way, []]));
    const count = context.options.clients ?? DEFAULT_SAMPLES;
    for (let sample = 0; sample < count; sample += 1) {
      for (const way of ways) samples.get(way)?.push(await way.firstToken());
    }
    const rows = new Rows();
    const direct = quantiles(samples.get(ways[0] as Way) ?? []);
    for (const [{ name }, values] of samples) {
      const own = quantiles(values);
      rows.add(`${count} questions, one at a time`, name, {
        'p50 ms': own.p50,
        'p99 ms': own.p99,
        'added p50 ms': own.p50 - direct.p50,
        'added p99 ms': own.p99 - direct.p99,
      });
    }
    return rows.list();
  },
};

async function prepare(context: Context, providerUrl: string): Promise<Way[]> {
  const { cleanup, options } = context;
  const direct = startProgram('load/direct.js', cleanup);
  const ways: Way[] = [
    {
      name: 'the provider directly',
      firstToken: () => direct.call<number>('firstToken', { baseUrl: providerUrl, model: MODEL }),
    },
  ];
  const servers: ServerProcess[] = [];
  if (isWanted(options, 'bare Socket.IO')) servers.push(await startBare(cleanup, providerUrl));
  if (isWanted(options, 'streamgate')) {
    servers.push(await startStreamgate({ ...context, providerUrl, env: { LLM_MODEL: MODEL } }));
  }
  for (const server of servers) {
    const remote: Remote = startProgram('load/answers.js', cleanup);
    await remote.call('gather', { url: server.url, name: 'reader', clients: 1 } satisfies AnswerCrowd);
    ways.push({
      name: server.name,
      firstToken: () => remote.call<number>('firstToken', { model: MODEL }),
    });
  }
  return ways;
}

function quantiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = Float64Array.from(values).toSorted();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}
