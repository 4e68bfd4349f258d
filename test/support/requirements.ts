import { REQUIREMENTS } from '../../scripts/lib/requirements.mjs';

/**
 * The program of Chromium: `CHROMIUM_PATH`, or the first found. Undefined where there is none.
 * @throws where there is none and CI=true: CI skips nothing.
 */
export function chromiumPath(): string | undefined {
  return need(REQUIREMENTS.chromium);
}

/** Whether the tests of the pages can run: `describe.skipIf(!hasChromium())`. Throws as {@link chromiumPath}. */
export function hasChromium(): boolean {
  return chromiumPath() !== undefined;
}

/** Whether there is a Redis for tests: `REDIS_URL`, or the program `redis-server`. Throws as {@link chromiumPath}. */
export function hasRedis(): boolean {
  return need(REQUIREMENTS.redis) !== undefined;
}

/** The program of nginx: `NGINX_PATH`, or the first found. Undefined where there is none. Throws as {@link chromiumPath}. */
export function nginxPath(): string | undefined {
  return need(REQUIREMENTS.nginx);
}

/** The program of PgBouncer: `PGBOUNCER_PATH`, or the first found. Undefined where there is none. Throws as {@link chromiumPath}. */
export function pgbouncerPath(): string | undefined {
  return need(REQUIREMENTS.pgbouncer);
}

/** A Python that has `socketio`: `PYTHON_PATH`, or the first found. Undefined where there is none. Throws as {@link chromiumPath}. */
export function pythonPath(): string | undefined {
  return need(REQUIREMENTS.python);
}

function need({ name, remedy, find }: (typeof REQUIREMENTS)[keyof typeof REQUIREMENTS]): string | undefined {
  const found = find();
  if (found === undefined && process.env['CI'] === 'true') throw new Error(`${name} is missing. ${remedy}`);
  return found;
}
