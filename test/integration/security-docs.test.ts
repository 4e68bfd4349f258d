import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { readPage, ROOT, rowsOf } from '../support/pages.js';

/** Every test file's text, by its name. */
async function testFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const folder of ['src', 'test/e2e', 'test/integration']) {
    for (const path of await readdir(join(ROOT, folder), { recursive: true })) {
      if (path.endsWith('.test.ts')) {
        files.set(basename(path), await readFile(join(ROOT, folder, path), 'utf8'));
      }
    }
  }
  return files;
}

/** Whether `source` names a test or a group of tests so. */
function hasTitle(source: string, title: string): boolean {
  return ["'", '"', '`'].some(
    (quote) =>
      source.includes(`${quote}${title}${quote}, `) || source.includes(`${quote}${title}${quote},\n`),
  );
}

/** The nested list under the heading of the tests: the tests named for each attack. */
function listedTests(page: string): Map<string, string[]> {
  const [, list = ''] = page.split(/^### Tests of each attack$/m);
  const tests = new Map<string, string[]>();
  const [section = ''] = list.split(/^## /m);
  const items = section.replaceAll(/\n {4}/g, ' ').split('\n');
  let current: string[] = [];
  for (const item of items) {
    if (item.startsWith('- ')) tests.set(item.slice(2), (current = []));
    if (item.startsWith('  - ')) current.push(item.slice(4));
  }
  return tests;
}

test('Each attack in docs/security.md names tests that exist, by file and title', async () => {
  const page = await readPage('docs/security.md');
  const rows = rowsOf(page);
  const attacks = rows
    .slice(rows.findIndex(([first]) => first === 'attack') + 2)
    .map(([attack = '']) => attack);
  expect(attacks.length).toBeGreaterThan(14);
  const tests = listedTests(page);
  expect([...tests.keys()]).toEqual(attacks);
  const files = await testFiles();
  const missing: string[] = [];
  for (const [attack, named] of tests) {
    expect(named, attack).not.toEqual([]);
    for (const name of named) {
      const [, file = '', title = ''] = /^`([\w-]+(?:\.[\w-]+)*\.test\.ts)` › (.+)$/.exec(name) ?? [];
      if (!hasTitle(files.get(file) ?? '', title)) missing.push(`${attack}: ${name}`);
    }
  }
  expect(missing).toEqual([]);
});
