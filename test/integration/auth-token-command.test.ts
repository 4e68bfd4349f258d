import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportSPKI, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { runTokenCommand } from '../../src/auth/tokens/token.command.js';
import { loadEnvironment } from '../../src/platform/config/environment.js';
import { authUnder, SECRET, temporaryFolder } from '../support/auth.js';

async function run(args: string[], env: Record<string, string> = {}) {
  const full = { DATA_DIR: temporaryFolder(), ...env };
  const out: string[] = [];
  const err: string[] = [];
  const terminal = { out: (text: string) => out.push(text), err: (text: string) => err.push(text) };
  const code = await runTokenCommand(args, terminal, () => loadEnvironment(full, full.DATA_DIR));
  return { code, out, err: err.join('\n'), env: full };
}

describe('npm run token', () => {
  it.each([{}, { AUTH_JWT_SECRET: SECRET }, { AUTH_ISSUER: 'https://id.example', AUTH_AUDIENCE: 'chat' }])(
    'prints one token alone that the service accepts under %j',
    async (settings) => {
      const { code, out, env } = await run(['--sub', 'alice'], settings);
      expect([code, out.length]).toEqual([0, 1]);
      const principal = await (await authUnder(env)).verifier.verify(out[0]!);
      expect(principal).toMatchObject({ userId: 'alice', roles: [], isAdmin: false, guest: false });
      expect(principal.jti).toMatch(/^[\w-]{22}$/);
      expect(principal.expiresAt / 1000 - Date.now() / 1000).toBeCloseTo(3600, -1);
    },
  );

  it('puts name, roles and life into the token', async () => {
    const args = ['--sub=alice', '--name', 'Alice A.', '--role', 'admin', '--role', 'staff', '--ttl', '2d'];
    const { out, env } = await run(args);
    const principal = await (await authUnder(env)).verifier.verify(out[0]!);
    expect(principal).toMatchObject({ name: 'Alice A.', roles: ['admin', 'staff'], isAdmin: true });
    expect(principal.expiresAt / 1000 - Date.now() / 1000).toBeCloseTo(2 * 86_400, -1);
  });

  it.each([
    [[]],
    [['alice']],
    [['--sub', '']],
    [['--sub', 'assistant']],
    [['--sub', 'system']],
    [['--sub', 'guest:abc']],
    [['--sub', 'a\u0000']],
    [['--sub', 'alice', '--ttl', '0h']],
    [['--sub', 'alice', '--ttl', '1']],
    [['--sub', 'alice', '--ttl', 'soon']],
    [['--sub', 'alice', '--ttl', '99999d']],
    [['--sub', 'alice', '--rule', 'admin']],
  ])('refuses %j and says how it is used', async (args) => {
    const { code, out, err } = await run(args);
    expect([code, out]).toEqual([2, []]);
    expect(err).toContain('Usage: npm run -s token');
  });

  it('prints its usage', async () => {
    const { code, out, err } = await run(['--help']);
    expect([code, out]).toEqual([0, []]);
    expect(err).toContain('--sub');
  });

  it('says that it cannot sign what others sign', async () => {
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const settings = [
      { AUTH_JWT_PUBLIC_KEY: await exportSPKI(publicKey) },
      { AUTH_JWKS_URL: 'https://id.example/keys' },
    ];
    for (const env of settings) {
      const { code, out, err } = await run(['--sub', 'alice'], env);
      expect([code, out]).toEqual([1, []]);
      expect(err).toContain(`${Object.keys(env)[0]} is set`);
    }
  });

  it('names the faults of the configuration', async () => {
    const { code, out, err } = await run(['--sub', 'alice'], { NODE_ENV: 'production' });
    expect([code, out]).toEqual([1, []]);
    expect(err).toContain('AUTH_JWT_SECRET');
  });
});

describe('the environment', () => {
  function folderWith(env: string): string {
    const folder = temporaryFolder();
    writeFileSync(join(folder, '.env'), env);
    return folder;
  }

  it('is read from .env, and the real one wins', () => {
    const folder = folderWith('PORT=4000\nHOST=0.0.0.0\n');
    expect(loadEnvironment({ HOST: '127.0.0.2' }, folder)).toMatchObject({ PORT: 4000, HOST: '127.0.0.2' });
    expect(process.env['PORT']).toBeUndefined();
  });

  it('is not read from .env in production', () => {
    const folder = folderWith('PORT=4000\n');
    const env = { NODE_ENV: 'production', AUTH_JWT_SECRET: SECRET };
    expect(loadEnvironment(env, folder).PORT).toBe(3000);
  });

  it('needs no .env', () => {
    expect(loadEnvironment({}, temporaryFolder()).PORT).toBe(3000);
  });
});
