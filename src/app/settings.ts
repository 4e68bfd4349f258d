import { externalKeys, loadAuthKeys, type AuthKeys } from '../auth/tokens/auth-keys.js';
import { ConfigError, type Config } from '../platform/config/config.js';
import { readTls } from '../platform/http/tls.js';

/** The configuration, and the contents of the files that it names. */
export interface Settings {
  config: Config;
  keys: AuthKeys;
  tls: Awaited<ReturnType<typeof readTls>>;
}

/**
 * Reads the settings.
 * @throws {ConfigError} with every fault of variables, keys and certificates.
 */
export async function readSettings(load: () => Config): Promise<Settings> {
  let config: Config;
  try {
    config = load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError([...error.faults, ...(await faultsBeside(error))]);
  }
  const [tls, keys] = await Promise.allSettled([readTls(config), loadAuthKeys(config)]);
  if (tls.status === 'rejected' || keys.status === 'rejected') throw new ConfigError(faultsIn([tls, keys]));
  return { config, keys: keys.value, tls: tls.value };
}

/** Returns the faults of the files that valid variables name. Creates no secret: the configured one may only be invalid. */
async function faultsBeside({ validValues }: ConfigError): Promise<string[]> {
  const keys = Promise.resolve(validValues).then(externalKeys);
  return faultsIn(await Promise.allSettled([readTls(validValues), keys]));
}

function faultsIn(results: readonly PromiseSettledResult<unknown>[]): string[] {
  return results.flatMap((result) => (result.status === 'rejected' ? faultsOf(result.reason) : []));
}

function faultsOf(error: unknown): readonly string[] {
  return error instanceof ConfigError ? error.faults : [(error as Error).message];
}
