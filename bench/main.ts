import { mkdtemp, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Cleanup } from './harness/cleanup.js';
import { BenchDatabase } from './harness/database.js';
import { parseOptions, USAGE, type Options } from './harness/options.js';
import { profileLines } from './harness/profile.js';
import type { ServerProcess } from './harness/processes.js';
import { tables } from './harness/report.js';
import type { Row, Scenario } from './harness/scenario.js';
import { cancel } from './scenarios/cancel.js';
import { deploy } from './scenarios/deploy.js';
import { idle } from './scenarios/idle.js';
import { jitter } from './scenarios/jitter.js';
import { durability, relay } from './scenarios/relay.js';
import { send } from './scenarios/send.js';
import { streams } from './scenarios/streams.js';
import { ttft } from './scenarios/ttft.js';

const SCENARIOS: Record<string, Scenario> = {
  send,
  relay,
  durability,
  streams,
  ttft,
  cancel,
  idle,
  jitter,
  deploy,
};

interface Outcome {
  scenario: string;
  conditions: Record<string, string>;
  rows: Row[];
  profiles: { server: string; lines: string[] }[];
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function run(name: string, scenario: Scenario, options: Options): Promise<Outcome> {
  const cleanup = new Cleanup();
  const leave = (): void => void cleanup.run().finally(() => process.exit(130));
  process.once('SIGINT', leave).once('SIGTERM', leave);
  const profiles: Outcome['profiles'] = [];
  try {
    const load = loadavg()[0]?.toFixed(2) ?? '';
    const database = await BenchDatabase.open(cleanup);
    const conditions = {
      date: new Date().toISOString(),
      machine: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
      load: `${load} before the run`,
      node: process.version,
      database: await database.describe(),
    };
    const profile = async (server: ServerProcess, work: () => Promise<unknown>): Promise<void> => {
      const folder = await mkdtemp(join(tmpdir(), 'streamgate-profile-'));
      const file = join(folder, `${server.name.replaceAll(/\W+/g, '-')}.cpuprofile`);
      await server.startProfile();
      await work();
      await server.stopProfile(file);
      profiles.push({ server: server.name, lines: await profileLines(file) });
    };
    const rows = await scenario.run({ options, cleanup, database, say, profile });
    return { scenario: name, conditions, rows, profiles };
  } finally {
    await cleanup.run();
    process.off('SIGINT', leave).off('SIGTERM', leave);
  }
}

function print({ conditions, rows, profiles }: Outcome): void {
  const lines = Object.entries(conditions).map(([name, value]) => `${name}: ${value}`);
  lines.push(...tables(rows));
  for (const profile of profiles) lines.push('', `Where ${profile.server} spends its time`, ...profile.lines);
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const scenario = SCENARIOS[options.scenario ?? ''];
  if (options.help || options.scenario === undefined || !scenario) {
    const list = Object.entries(SCENARIOS).map(([name, { about }]) => `  ${name.padEnd(9)}${about}`);
    process.stdout.write(`${USAGE}\nScenarios:\n${list.join('\n')}\n`);
    return options.help ? 0 : 1;
  }
  const outcome = await run(options.scenario, scenario, options);
  print(outcome);
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ options, ...outcome }, null, 2)}\n`);
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
