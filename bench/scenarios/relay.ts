import { startProgram, type ServerProcess } from '../harness/processes.js';
import type { Remote } from '../harness/rpc.js';
import { isWanted, Rows, spent, type Context, type Row, type Scenario } from '../harness/scenario.js';
import type { AnswerCrowd, RelayLoad, RelayResult } from '../load/answers.js';
import { startBare, startStreamgate } from '../servers/programs.js';
import { startProvider } from '../servers/start-provider.js';

const DEFAULTS = { seconds: 3, rounds: 3, clients: 100 };
const TOKENS = 500;
const MODEL = `flood-${TOKENS}`;
const WARM_UP_SECONDS = 3;

/** Tokens from a provider that is always faster, to one reader for each answer. */
export const relay: Scenario = {
  about:
    'tokens of AI answers: tokens per second delivered, server CPU per token, against one event per token',
  run: (context) => measure(context, startServers),
};

/** The same against itself: what each setting of how durable a chunk is costs. */
export const durability: Scenario = {
  about: 'the same tokens with each STREAM_DURABILITY: what a chunk that survives more costs',
  run: (context) => measure(context, startDurabilities),
};

type Start = (context: Context, providerUrl: string) => Promise<ServerProcess[]>;

async function measure(context: Context, start: Start): Promise<Row[]> {
  const { options, database, say } = context;
  const { url } = await startProvider(context.cleanup);
  const rounds = options.rounds ?? DEFAULTS.rounds;
  const seconds = options.seconds ?? DEFAULTS.seconds;
  const crowds = new Map<ServerProcess, Remote>();
  for (const server of await start(context, url)) {
    const remote = await gather(context, server);
    crowds.set(server, remote);
    await remote.call('saturate', { seconds: WARM_UP_SECONDS, model: MODEL } satisfies RelayLoad);
  }
  const name = `${options.clients ?? DEFAULTS.clients} readers, answers of ${TOKENS} tokens, as fast as it goes`;
  const rows = new Rows();
  const load: RelayLoad = { seconds, model: MODEL };
  for (let round = 1; round <= rounds; round += 1) {
    for (const [server, remote] of crowds) {
      await database.settle();
      const used = await spent(server, database, () => remote.call<RelayResult>('saturate', load));
      const { result } = used;
      rows.add(name, server.name, {
        'tokens/s': result.perSecond,
        'server us/token': used.cpuUs / result.tokens,
        'database us/token': used.databaseUs / result.tokens,
        'tokens/event': result.tokens / result.events,
        answers: result.answers,
        'server cores': used.cpuUs / used.wallUs,
        'load cores': result.cpuUs / used.wallUs,
        'delivered %': (result.tokens / (result.answers * TOKENS)) * 100,
        refused: result.refused,
      });
      say(`round ${round}: ${server.name} ${Math.round(result.perSecond)} tokens/s`);
    }
  }
  if (options.profile) {
    for (const [server, remote] of crowds) {
      await context.profile(server, () => remote.call('saturate', load));
    }
  }
  return rows.list();
}

async function startDurabilities(context: Context, providerUrl: string): Promise<ServerProcess[]> {
  const servers: ServerProcess[] = [];
  for (const STREAM_DURABILITY of ['memory', 'process', 'machine']) {
    const env = { LLM_MODEL: MODEL, STREAM_DURABILITY };
    servers.push(await startStreamgate({ ...context, providerUrl, env, name: STREAM_DURABILITY }));
  }
  return servers;
}

async function startServers(context: Context, providerUrl: string): Promise<ServerProcess[]> {
  const { cleanup, options } = context;
  const servers: ServerProcess[] = [];
  if (isWanted(options, 'bare Socket.IO')) servers.push(await startBare(cleanup, providerUrl));
  if (isWanted(options, 'bare Socket.IO, fetch'))
    servers.push(await startBare(cleanup, providerUrl, 'fetch'));
  if (isWanted(options, 'streamgate')) {
    servers.push(await startStreamgate({ ...context, providerUrl, env: { LLM_MODEL: MODEL } }));
  }
  return servers;
}

async function gather({ options, cleanup }: Context, server: ServerProcess): Promise<Remote> {
  const remote = startProgram('load/answers.js', cleanup);
  const clients = options.clients ?? DEFAULTS.clients;
  await remote.call('gather', { url: server.url, name: 'reader', clients } satisfies AnswerCrowd);
  return remote;
}
