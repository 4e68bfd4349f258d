import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockfileFaults } from '../../scripts/lib/lockfile.mjs';
import { ROOT } from '../../scripts/lib/prepare.mjs';
import { countTests } from '../../scripts/lib/tests.mjs';

const file = (status: string, ...tests: string[]) => ({
  name: 'x.test.ts',
  status,
  assertionResults: tests.map((test) => ({ status: test, fullName: `is ${test}` })),
});

describe('what a test run came to', () => {
  it.each([
    [
      'all is well',
      [file('passed', 'passed', 'passed'), file('passed', 'skipped', 'todo', 'pending')],
      0,
      [2, 0, ['is skipped', 'is todo', 'is pending']],
    ],
    ['a test failed', [file('failed', 'passed', 'failed')], 1, [1, 1, []]],
    ['a file could not be loaded', [file('passed', 'passed'), file('failed')], 1, [1, 1, []]],
    ['a hook failed after its tests', [file('failed', 'passed')], 1, [1, 1, []]],
    ['an error outside any test', [file('passed', 'passed')], 1, [1, 1, []]],
    ['no test at all', [], 0, [0, 1, []]],
    ['nothing but skipped tests', [file('passed', 'skipped')], 0, [0, 1, ['is skipped']]],
  ] as const)('%s', (_, testResults, code, [passed, failed, skipped]) => {
    expect(countTests({ testResults }, code)).toEqual({ passed, failed, skipped });
  });

  it('no report', () => {
    expect(countTests(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: [] });
  });
});

describe('package-lock.json', () => {
  it('is whole and bound to no place', () => {
    expect(lockfileFaults(ROOT)).toEqual([]);
  });

  it('is faulty where npm ci would refuse it, and where only one machine could use it', async () => {
    const root = await mkdtemp(join(tmpdir(), 'streamgate-lockfile-'));
    const packages = {
      '': { optionalDependencies: { gone: '1' } },
      'node_modules/a': { version: '1', integrity: 'sha512-', resolved: 'https://registry.example/a.tgz' },
      'node_modules/b': { version: '1', integrity: 'sha512-', resolved: '/home/somebody/b.tgz' },
      'node_modules/c': { version: '1' },
      'node_modules/client': { resolved: 'client', link: true },
    };
    await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages }));
    await writeFile(
      join(root, 'package.json'),
      JSON.stringify({ dependencies: { d: '1' }, optionalDependencies: { gone: '1' } }),
    );
    expect(lockfileFaults(root)).toEqual([
      'The dependencies of package.json are not those that are locked: run npm install.',
      'package.json wants gone, which is not locked.',
      'node_modules/a is bound to one place: https://registry.example/a.tgz',
      'node_modules/b is bound to one place: /home/somebody/b.tgz',
      'node_modules/c has no integrity.',
    ]);
    await rm(root, { recursive: true });
  });
});
