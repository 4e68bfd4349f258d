import { parseArgs } from 'node:util';
import { migrations } from '../../../migrations/index.js';
import { ConfigError, type Config } from '../../platform/config/config.js';
import { describeMisspelt, loadEnvironment, misspeltVariables } from '../../platform/config/environment.js';
import { checkDatabase } from './database.store.js';
import { fail, ok, warn, type Finding } from './finding.js';
import { checkDataDir, checkMachine, thisMachine } from './machine.checks.js';
import { checkProvider } from './provider.checks.js';
import { checkProduction, checkSecrets } from './security.checks.js';
import { checkUrl } from './url.checks.js';

const USAGE = `Usage: npm run -s doctor -- [--json] [--url https://chat.example.com [--token TOKEN]]
  --json   findings as JSON
  --url    check only this address: whether sockets and answers pass its proxy
  --token  a user's token for --url; default: a guest token`;

type Write = (text: string) => void;

/**
 * Runs `npm run doctor`: checks configuration, machine, database and provider, or the path through a proxy, and prints
 * one line per finding. It changes nothing; with `--url` it creates a conversation and deletes it again.
 * @returns the exit code: 0; 1 if a check fails; 2 for wrong arguments.
 */
export async function runDoctorCommand(
  args: readonly string[],
  write: Write = (text) => process.stdout.write(`${text}\n`),
  load: () => Config = loadEnvironment,
): Promise<number> {
  const options = readOptions(args);
  if (options === undefined || options.help) {
    write(USAGE);
    return options?.help ? 0 : 2;
  }
  const findings = options.url ? await checkUrl(options.url, options.token) : await checkInstallation(load);
  const failed = findings.some(({ level }) => level === 'fail');
  if (options.json) write(JSON.stringify({ ok: !failed, findings }, null, 2));
  else for (const finding of findings) write(lineOf(finding));
  return failed ? 1 : 0;
}

function readOptions(args: readonly string[]) {
  const options = {
    json: { type: 'boolean' },
    url: { type: 'string' },
    token: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    const { values } = parseArgs({ args: [...args], options });
    return values.url === undefined || /^https?:\/\//.test(values.url) ? values : undefined;
  } catch {
    return undefined;
  }
}

async function checkInstallation(load: () => Config): Promise<Finding[]> {
  const machine = await thisMachine();
  let config: Config;
  try {
    config = load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const remedy = 'See docs/configuration.md. The other checks need a valid configuration.';
    return error.faults.map((fault) => fail('configuration', fault, remedy));
  }
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: poolSize } = config;
  return [
    ok('configuration', 'It is valid.'),
    ...misspeltVariables().map((found) =>
      warn('configuration', describeMisspelt(found), 'Correct or remove it.'),
    ),
    ...checkSecrets(config),
    ...checkProduction(config),
    ...checkMachine(config, machine),
    ...(url ? await checkDatabase({ url, poolSize, migrations }) : await checkDataDir(config, machine)),
    ...(await checkProvider(config)),
  ];
}

function lineOf({ level, check, message, remedy }: Finding): string {
  return `${level.padEnd(4)}  ${check}: ${message}${remedy === undefined ? '' : ` ${remedy}`}`;
}
