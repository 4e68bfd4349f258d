import { parseArgs } from 'node:util';

/** What was asked for on the command line. Where a number is undefined, the scenario's own default holds. */
export interface Options {
  scenario: string | undefined;
  seconds: number | undefined;
  rounds: number | undefined;
  clients: number | undefined;
  inFlight: number | undefined;
  rate: number | undefined;
  rooms: number[] | undefined;
  generators: number;
  /** Parts of names of servers to run; all when empty. */
  only: string[];
  big: boolean;
  profile: boolean;
  json: string | undefined;
  help: boolean;
}

export const USAGE = `npm run bench -- <scenario> [options]

  --seconds n      length of each measured window
  --rounds n       windows of each server, in turns
  --clients n      connections (send, relay), streams (streams), samples (ttft, cancel)
  --rooms a,b      sizes of the rooms (send, jitter)
  --in-flight n    sends that each connection keeps under way (send)
  --rate n         sends per second for the latencies (send)
  --generators n   processes that make the load (send)
  --only a,b       only servers whose name holds one of these
  --big            10,000 connections as well (idle)
  --profile        a further window of each server under the profiler: where its time goes
  --json file      write everything that was measured to this file

DATABASE_URL names the PostgreSQL to use; without it an embedded one is started and thrown away.
`;

/** @throws {Error} with a sentence for an option that there is not. */
export function parseOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...{ seconds: text, rounds: text, clients: text, rooms: text, 'in-flight': text, rate: text },
      ...{ generators: text, only: text, json: text, big: flag, profile: flag, help: flag },
    },
  });
  return {
    scenario: positionals[0],
    seconds: numberOf('seconds', values.seconds),
    rounds: numberOf('rounds', values.rounds),
    clients: numberOf('clients', values.clients),
    inFlight: numberOf('in-flight', values['in-flight']),
    rate: numberOf('rate', values.rate),
    rooms: values.rooms?.split(',').map((size) => numberOf('rooms', size) ?? 0),
    generators: numberOf('generators', values.generators) ?? 1,
    only: values.only?.split(',') ?? [],
    big: values.big,
    profile: values.profile,
    json: values.json,
    help: values.help,
  };
}

function numberOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!(number > 0)) throw new Error(`--${name} must be a number above zero.`);
  return number;
}
