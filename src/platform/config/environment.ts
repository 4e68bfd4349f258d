import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { readConfig, type Config } from './config.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration of this process: from `env`, and below it, unless `env` has NODE_ENV=production, from the file `.env`
 * in `folder`. Neither is changed.
 * @throws {ConfigError} with every fault.
 */
export function loadEnvironment(env: Environment = process.env, folder = process.cwd()): Config {
  const file = env['NODE_ENV'] === 'production' ? {} : readEnvFile(join(folder, '.env'));
  return readConfig(withProxies({ ...file, ...env }));
}

/** Adds the variables for proxies that are written in lower case, as most programs read them. */
function withProxies(env: Environment): Environment {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].filter((name) => !env[name]);
  return { ...env, ...Object.fromEntries(names.map((name) => [name, env[name.toLowerCase()]])) };
}

function readEnvFile(path: string): Environment {
  try {
    return parse(readFileSync(path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
}
