import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPage, ROOT, rowsOf } from '../support/pages.js';

const SRC = join(ROOT, 'src');
const GROUND = ['platform', 'common', 'protocol'];
const PLATFORM = 'platform/';

interface Rule {
  name: string;
  comment?: string;
}

const page = await readPage('docs/architecture.md');
const rules = (createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as { forbidden: Rule[] })
  .forbidden;
const imports = await realImports();

describe.each([
  ['rooms', 'room', 'layer-', ''],
  ['folders of platform', 'folder', 'layer-platform-', PLATFORM],
])('The table of %s in docs/architecture.md', (_what, head, rulePrefix, pathPrefix) => {
  const table = tableOf(head);

  test('has a row for each folder, and no other', () => {
    const depth = pathPrefix === '' ? 0 : 1;
    const folders = [...imports.keys()].map((file) => file.slice(0, file.lastIndexOf('/')).split('/'));
    const names = folders
      .filter((parts) => (depth === 0 ? parts[0] !== '' : parts[0] === 'platform' && parts.length > 1))
      .map((parts) => parts[depth] ?? '');
    expect([...table.keys()].toSorted()).toEqual([...new Set(names)].toSorted());
  });

  test.each([...table])('says of %s what the import rules say', (folder, mayImport) => {
    const rule = rules.find(({ name }) => name === `${rulePrefix}${folder}`);
    const ruled = /may import (.*)\.$/.exec(rule?.comment ?? '')?.[1] ?? '';
    const names = ruled.startsWith('nothing') ? [] : ruled.split(', ');
    expect(mayImport.toSorted()).toEqual(names.toSorted());
  });

  test.each([...table])('names everything that %s imports', (folder, mayImport) => {
    const allowed = new Set([folder, ...mayImport]);
    const foreign = [...imports]
      .filter(([file]) => file.startsWith(`${pathPrefix}${folder}/`))
      .flatMap(([file, targets]) => targets.map((target) => ({ file, target })))
      .filter(({ target }) => target.startsWith(pathPrefix))
      .filter(({ target }) => !allowed.has(target.slice(pathPrefix.length).split('/')[0] ?? ''));
    expect(foreign).toEqual([]);
  });
});

/** The rows of the table whose first column is headed `head`: folder → the folders that it may import. */
function tableOf(head: string): Map<string, string[]> {
  const rows = rowsOf(page);
  const start = rows.findIndex((row) => row[0] === head && row[2] === 'may import');
  const end = rows.findIndex((row, index) => index > start + 1 && !/^`\w+`$/.test(row[0] ?? ''));
  return new Map(
    rows.slice(start + 2, end).map(([name = '', , list = '']) => [
      name.replaceAll('`', ''),
      list
        .split(', ')
        .filter((word) => word !== 'nothing')
        .flatMap((word) => (word === 'ground' ? GROUND : [word])),
    ]),
  );
}

/** Each source file below `src/` in a folder, but tests → the source files that it imports, relative to `src/`. */
async function realImports(): Promise<Map<string, string[]>> {
  const paths = await readdir(SRC, { recursive: true });
  const sources = paths.filter((path) => /\/.*(?<!\.test|\.d)\.ts$/.test(path));
  const entries = sources.map(async (path) => {
    const text = await readFile(join(SRC, path), 'utf8');
    const specifiers = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, name = '']) => name);
    const targets = specifiers.map((name) => relative(SRC, join(SRC, dirname(path), name)));
    return [path, targets.filter((target) => !target.startsWith('..'))] as const;
  });
  return new Map(await Promise.all(entries));
}
