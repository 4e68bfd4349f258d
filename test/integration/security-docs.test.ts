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

test('Each attack in docs/security.md names tests that exist, by file and title', async () => {
  const rows = rowsOf(await readPage('docs/security.md'));
  const start = rows.findIndex(([first]) => first === 'attack') + 2;
  const attacks = rows.slice(start);
  expect(attacks.length).toBeGreaterThan(14);
  const files = await testFiles();
  const missing: string[] = [];
  for (const [attack, , tests = ''] of attacks) {
    const named = tests.split('; `').map((entry) => /^`?([\w-]+\.test\.ts)` › (.+)$/.exec(entry));
    for (const found of named) {
      const [, file = '', title = ''] = found ?? [];
      if (!hasTitle(files.get(file) ?? '', title)) missing.push(`${attack}: ${file} › ${title}`);
    }
  }
  expect(missing).toEqual([]);
});
