import type { NestExpressApplication } from '@nestjs/platform-express';
import { configure, createApplication } from '../../src/app/application.js';
import { loadAuthKeys } from '../../src/auth/tokens/auth-keys.js';
import { readConfig } from '../../src/platform/config/config.js';
import { createTestDatabase } from './database.js';
import { TEST_SECRET } from './server.js';

/** The service within the test's own process, so that a test can look inside. */
export interface TestApp {
  readonly url: string;
  readonly databaseUrl: string;
  readonly app: NestExpressApplication;
  stop(): Promise<void>;
}

/**
 * Starts the service, configured as always, on a free port, with a database of its own. `adapt` may add to the application
 * before it is configured.
 */
export async function startApp(
  env: Record<string, string> = {},
  adapt: (app: NestExpressApplication) => void = () => {},
): Promise<TestApp> {
  const database = await createTestDatabase();
  const config = readConfig({ NODE_ENV: 'test', AUTH_JWT_SECRET: TEST_SECRET, ...env });
  const log = { info: () => {}, warn: console.warn, error: console.error };
  const parts = { config, keys: await loadAuthKeys(config), databaseUrl: database.url, log };
  const app = await createApplication(parts, { logger: ['error', 'warn'] });
  adapt(app);
  await configure(app, config);
  await app.listen(0, '127.0.0.1');
  const stop = async (): Promise<void> => {
    await app.close();
    await database.drop();
  };
  return { url: await app.getUrl(), databaseUrl: database.url, app, stop };
}
