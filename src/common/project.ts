import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Root folder of the project: the nearest parent folder of this file with a package.json, in `src/` as well as in `dist/`. */
export const PROJECT_ROOT = findRoot(import.meta.dirname);

/** The version of Streamgate, from its package.json. */
export const { version: VERSION } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  version: string;
};

function findRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return start;
  }
}
