import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/platform/config/config.js';
import { VARIABLES } from '../../src/platform/config/variables.js';
import { readPage } from '../support/pages.js';

const NAMES = new Set(Object.keys(VARIABLES));
const DEFAULTS = readConfig({});

describe('deploy/systemd/streamgate.service', async () => {
  const unit = await readPage('deploy/systemd/streamgate.service');
  const settings = new Map(
    [...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', text = '']) => [name, text]),
  );

  test('starts Node without npm in between, as a user of its own, with variables that exist', async () => {
    expect(settings.get('ExecStart')).toBe('/usr/bin/node /opt/streamgate/dist/main.js');
    expect(settings.get('User')).toBe('streamgate');
    const env = Object.fromEntries(
      (settings.get('Environment') ?? '').split(' ').map((pair) => pair.split('=') as [string, string]),
    );
    expect(Object.keys(env).filter((name) => !NAMES.has(name))).toEqual([]);
    const config = readConfig({ ...env, AUTH_JWT_SECRET: 'x'.repeat(32) });
    expect(config.DATA_DIR).toBe(`/var/lib/${settings.get('StateDirectory')}`);
    expect(await readPage('docs/deployment.md')).toContain(`sudo tee ${settings.get('EnvironmentFile')}\n`);
  });

  test('leaves more time to end than SHUTDOWN_GRACE_MS, and the embedded PostgreSQL to the server (P12)', () => {
    expect(Number(settings.get('TimeoutStopSec')) * 1000).toBeGreaterThan(DEFAULTS.SHUTDOWN_GRACE_MS);
    expect(Number(settings.get('LimitNOFILE'))).toBeGreaterThan(2 * DEFAULTS.MAX_CONNECTIONS);
    expect(settings.get('KillMode')).toBe('process');
  });

  test.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)('is what systemd takes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'streamgate-unit-'));
    const path = join(folder, 'streamgate.service');
    await writeFile(path, unit.replace('/usr/bin/node', process.execPath));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    await rm(folder, { recursive: true });
    expect([status, stderr]).toEqual([0, '']);
  });
});
