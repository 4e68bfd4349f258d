import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from '../harness/figures.js';
import { startProgram, type ServerProcess } from '../harness/processes.js';
import type { Remote } from '../harness/rpc.js';
import { isWanted, Rows, type Context, type Scenario } from '../harness/scenario.js';
import type { AnswerCrowd, CancelResult } from '../load/answers.js';
import { startBare, startStreamgate } from '../servers/programs.js';
import { startProvider } from '../servers/start-provider.js';

const DEFAULT_SAMPLES = 200;
const WARM_UP = 20;
const MODEL = 'paced-20';
const CLOSE_DEADLINE_MS = 5000;

/** One answer at a time is cancelled in its middle. */
export const cancel: Scenario = {
  about: "cancelling an answer: latency of the ack, and until the provider's connection is closed",
  async run(context) {
    const { options, cleanup } = context;
    const { url, provider } = await startProvider(cleanup);
    const rows = new Rows();
    for (const server of await startServers(context, url)) {
      const remote = startProgram('load/answers.js', cleanup);
      await remote.call('gather', {
        url: server.url,
        name: server.name.replaceAll(/\W/g, '-'),
        clients: 1,
      } satisfies AnswerCrowd);
      for (let sample = 0; sample < WARM_UP; sample += 1) await cancelOne(remote, provider);
      const acks: number[] = [];
      const closes: number[] = [];
      const count = options.clients ?? DEFAULT_SAMPLES;
      for (let sample = 0; sample < count; sample += 1) {
        const { ackMs, closedMs } = await cancelOne(remote, provider);
        acks.push(ackMs);
        closes.push(closedMs);
      }
      rows.add(`${count} answers, one at a time`, server.name, {
        'ack p50 ms': quantile(acks, 0.5),
        'ack p99 ms': quantile(acks, 0.99),
        'provider closed p50 ms': quantile(closes, 0.5),
        'provider closed p99 ms': quantile(closes, 0.99),
      });
      context.say(`${server.name}: done`);
    }
    return rows.list();
  },
};

async function startServers(context: Context, providerUrl: string): Promise<ServerProcess[]> {
  const { cleanup, options } = context;
  const servers: ServerProcess[] = [];
  if (isWanted(options, 'bare Socket.IO')) servers.push(await startBare(cleanup, providerUrl));
  if (isWanted(options, 'streamgate')) {
    servers.push(await startStreamgate({ ...context, providerUrl, env: { LLM_MODEL: MODEL } }));
  }
  return servers;
}

async function cancelOne(remote: Remote, provider: Remote): Promise<{ ackMs: number; closedMs: number }> {
  const { ackMs, sentAtUs, question } = await remote.call<CancelResult & { question: string }>(
    'askAndCancel',
    { model: MODEL },
  );
  return { ackMs, closedMs: ((await closedAt(provider, question)) - sentAtUs) / 1000 };
}

async function closedAt(provider: Remote, question: string): Promise<number> {
  const deadline = Date.now() + CLOSE_DEADLINE_MS;
  while (Date.now() < deadline) {
    const at = await provider.call<number | null>('closedAt', question);
    if (at !== null) return at;
    await delay(5);
  }
  throw new Error(`the provider's connection was not closed within ${CLOSE_DEADLINE_MS} ms`);
}

function quantile(values: readonly number[], share: number): number {
  return percentile(Float64Array.from(values).toSorted(), share);
}
