import { percentile, sortSamples } from '../harness/figures.js';
import { startProgram, type ServerProcess } from '../harness/processes.js';
import type { Remote } from '../harness/rpc.js';
import { isWanted, Rows, spent, type Context, type Scenario } from '../harness/scenario.js';
import type { SendCrowd, SendLoad, SendResult } from '../load/send.js';
import { startBare, startNestTypeorm, startStreamgate } from '../servers/programs.js';

const DEFAULTS = { seconds: 3, rounds: 3, clients: 100, rooms: [2, 10], inFlight: 2, rate: 2000 };
const WARM_UP_SECONDS = 3;
const CONTENT_BYTES = 120;

interface Subject {
  name: string;
  server: ServerProcess;
  /** Whether its clients ack what they receive. */
  acks: boolean;
}

/** Durable sends: how many, what each costs, and how long an ack takes. */
export const send: Scenario = {
  about: 'durable messages: sends per second, server CPU per send, latency of the ack',
  async run(context) {
    const { options } = context;
    const subjects = await startSubjects(context);
    const rows = new Rows();
    for (const roomSize of options.rooms ?? DEFAULTS.rooms) {
      const crowds = new Map<Subject, Remote[]>();
      for (const subject of subjects) {
        crowds.set(subject, await gather(context, subject, roomSize));
        context.say(`rooms of ${roomSize}: ${subject.name} warms up`);
        const remotes = crowds.get(subject) ?? [];
        await load(remotes, { seconds: WARM_UP_SECONDS, inFlight: options.inFlight ?? DEFAULTS.inFlight });
      }
      await measure({ context, rows, crowds, roomSize });
    }
    return rows.list();
  },
};

async function startSubjects(context: Context): Promise<Subject[]> {
  const { cleanup, options } = context;
  const subjects: Subject[] = [];
  if (isWanted(options, 'bare Socket.IO')) {
    subjects.push({ name: 'bare Socket.IO', server: await startBare(cleanup), acks: false });
  }
  if (isWanted(options, 'NestJS + TypeORM save')) {
    subjects.push({ name: 'NestJS + TypeORM save', server: await startNestTypeorm(context), acks: false });
  }
  if (isWanted(options, 'streamgate')) {
    const server = await startStreamgate(context);
    subjects.push({ name: 'Streamgate', server, acks: true });
    subjects.push({ name: 'Streamgate, clients without acks', server, acks: false });
  }
  return subjects;
}

interface Measurement {
  context: Context;
  rows: Rows;
  crowds: ReadonlyMap<Subject, Remote[]>;
  roomSize: number;
}

async function measure({ context, rows, crowds, roomSize }: Measurement): Promise<void> {
  const { options, database, say } = context;
  const { seconds = DEFAULTS.seconds, inFlight = DEFAULTS.inFlight, rate = DEFAULTS.rate } = options;
  const rounds = options.rounds ?? DEFAULTS.rounds;
  const kinds: { name: string; work: SendLoad }[] = [
    { name: `rooms of ${roomSize}, as fast as it goes`, work: { seconds, inFlight } },
    { name: `rooms of ${roomSize}, ${rate} sends/s`, work: { seconds, rate } },
  ];
  for (const { name, work } of kinds) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const [subject, remotes] of crowds) {
        await database.settle();
        const { result, cpuUs, databaseUs, wallUs } = await spent(subject.server, database, () =>
          load(remotes, work),
        );
        rows.add(name, subject.name, figures(result, { cpuUs, databaseUs, wallUs }));
        say(`${name}, round ${round}: ${subject.name} ${Math.round(result.perSecond)} sends/s`);
      }
    }
  }
  if (!options.profile) return;
  for (const [{ server, name }, remotes] of crowds) {
    const profiled = { ...server, name: `${name}, rooms of ${roomSize}` };
    await context.profile(profiled, () => load(remotes, { seconds, inFlight }));
  }
}

function figures(result: SendResult, spent: { cpuUs: number; databaseUs: number; wallUs: number }) {
  const sorted = result.latenciesMs;
  return {
    'sends/s': result.perSecond,
    'server us/send': spent.cpuUs / result.sends,
    'database us/send': spent.databaseUs / result.sends,
    'ack p50 ms': percentile(sorted, 0.5),
    'ack p99 ms': percentile(sorted, 0.99),
    'server cores': spent.cpuUs / spent.wallUs,
    'load cores': result.cpuUs / spent.wallUs,
    'delivered %': result.deliveredShare * 100,
    refused: result.refused,
  };
}

let gathered = 0;

async function gather({ options, cleanup }: Context, subject: Subject, roomSize: number): Promise<Remote[]> {
  const sockets = options.clients ?? DEFAULTS.clients;
  const count = options.generators;
  return Promise.all(
    Array.from({ length: count }, async () => {
      const remote = startProgram('load/send.js', cleanup);
      gathered += 1;
      const crowd: SendCrowd = {
        ...{ url: subject.server.url, acks: subject.acks, roomSize, contentBytes: CONTENT_BYTES },
        ...{ name: `crowd-${gathered}`, sockets: Math.floor(sockets / count) },
      };
      await remote.call('gather', crowd);
      return remote;
    }),
  );
}

async function load(remotes: readonly Remote[], work: SendLoad): Promise<SendResult> {
  const share = work.rate === undefined ? work : { ...work, rate: work.rate / remotes.length };
  const results = await Promise.all(remotes.map((remote) => remote.call<SendResult>('run', share)));
  const sum = (pick: (result: SendResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0);
  return {
    perSecond: sum((result) => result.perSecond),
    sends: sum((result) => result.sends),
    refused: sum((result) => result.refused),
    deliveredShare: sum((result) => result.deliveredShare) / results.length,
    latenciesMs: sortSamples(results.map((result) => result.latenciesMs)),
    cpuUs: sum((result) => result.cpuUs),
  };
}
