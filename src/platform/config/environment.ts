import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { ConfigError, readConfig, type Config } from './config.js';
import { findMisspelt, type MisspeltVariable } from './misspelt.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration of this process: from `env`, and below it, unless `env` has NODE_ENV=production, from the file `.env`
 * in `folder`. Neither is changed.
 * @throws {ConfigError} with every fault.
 */
export function loadEnvironment(env: Environment = process.env, folder = process.cwd()): Config {
  const all = readAll(env, folder);
  try {
    return readConfig(withProxies(all));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError([...error.faults, ...findMisspelt(all).map(describeMisspelt)], error.validValues);
  }
}

/** Returns the variables of {@link loadEnvironment} that look like ours but are not. */
export function misspeltVariables(
  env: Environment = process.env,
  folder = process.cwd(),
): MisspeltVariable[] {
  return findMisspelt(readAll(env, folder));
}

/** Returns a sentence that begins with the variable's name. */
export function describeMisspelt({ name, nearest }: MisspeltVariable): string {
  return `${name} is not a variable of Streamgate and has no effect. Did you mean ${nearest}?`;
}

function readAll(env: Environment, folder: string): Environment {
  const file = env['NODE_ENV'] === 'production' ? {} : readEnvFile(join(folder, '.env'));
  return { ...file, ...env };
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
