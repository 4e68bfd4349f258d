import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { loadOrCreateSecret, SECRET_FILE } from '../../src/auth/tokens/secret-file.js';
import { temporaryFolder } from '../support/auth.js';

const MODULE = fileURLToPath(new URL('../../src/auth/tokens/secret-file.ts', import.meta.url));

const NOBODY = 65_534;

describe('the secret in DATA_DIR', () => {
  it('is created once, with its folder, for the owner only, and nothing else remains', async () => {
    const folder = join(temporaryFolder(), 'a', 'b');
    const secret = await loadOrCreateSecret(folder);
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(await loadOrCreateSecret(folder)).toBe(secret);
    expect(readdirSync(folder)).toEqual([SECRET_FILE]);
    expect(statSync(join(folder, SECRET_FILE)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, SECRET_FILE), 'utf8').trim()).toBe(secret);
  });

  it('is the same for calls that race', async () => {
    const folder = temporaryFolder();
    const secrets = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateSecret(folder)));
    expect(new Set(secrets).size).toBe(1);
    expect(readdirSync(folder)).toEqual([SECRET_FILE]);
  });

  it.each(['', 'short\n'])(
    'is not replaced where the file holds %j: the start ends with a sentence',
    async (text) => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, SECRET_FILE), text);
      await expect(loadOrCreateSecret(folder)).rejects.toThrow(
        /auth-secret cannot be used: .* or set AUTH_JWT_SECRET/,
      );
      expect(readFileSync(join(folder, SECRET_FILE), 'utf8')).toBe(text);
    },
  );

  it('ends the start with a sentence where the folder cannot be made', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(loadOrCreateSecret(join(file, 'data'))).rejects.toThrow(/ENOTDIR.* or set AUTH_JWT_SECRET/);
  });

  it('ends the start with a sentence where the folder is not writable', async () => {
    const folder = join(temporaryFolder(), 'locked');
    mkdirSync(folder);
    chmodSync(folder, 0o500);
    // Root may write everywhere: for the moment this process is nobody.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      await expect(loadOrCreateSecret(folder)).rejects.toThrow(/EACCES.* or set AUTH_JWT_SECRET/);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

/** A process that answers each folder on its stdin with the secret it gets there. */
type Racer = ChildProcessByStdio<Writable, Readable, null>;

describe('processes that race for the secret', () => {
  let script: string;

  beforeAll(async () => {
    const outDir = temporaryFolder();
    const ssr = { noExternal: true } as const;
    await build({
      configFile: false,
      logLevel: 'silent',
      ssr,
      build: { ssr: MODULE, outDir, emptyOutDir: false },
    });
    const built = readdirSync(outDir).find((name) => name.startsWith('secret-file'));
    script = join(outDir, 'race.mjs');
    writeFileSync(
      script,
      `import { createInterface } from 'node:readline';
       import { loadOrCreateSecret } from './${built}';
       console.log('ready');
       for await (const folder of createInterface(process.stdin)) console.log(await loadOrCreateSecret(folder));`,
    );
  });

  it('all get the same one', async () => {
    const racers: Racer[] = Array.from({ length: 4 }, () =>
      spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    onTestFinished(() => racers.forEach((racer) => racer.kill()));
    const exits = racers.map((racer) => once(racer, 'exit'));
    const lines = racers.map((racer) => createInterface(racer.stdout)[Symbol.asyncIterator]());
    const answers = () => Promise.all(lines.map(async (line) => String((await line.next()).value)));
    expect(await answers()).toEqual(Array(4).fill('ready'));
    for (let round = 0; round < 20; round += 1) {
      const folder = join(temporaryFolder(), 'data');
      for (const racer of racers) racer.stdin.write(`${folder}\n`);
      const secrets = await answers();
      expect(secrets[0]).toMatch(/^[\w-]{43}$/);
      expect(new Set(secrets).size).toBe(1);
      expect(readdirSync(folder)).toEqual([SECRET_FILE]);
    }
    for (const racer of racers) racer.stdin.end();
    const codes = (await Promise.all(exits)).map(([code]) => code as unknown);
    expect(codes).toEqual([0, 0, 0, 0]);
  });
});
