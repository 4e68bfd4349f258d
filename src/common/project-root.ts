import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Folder of the project: the nearest one above this file with a package.json, from `src/` as well as from `dist/`. */
export const PROJECT_ROOT = findRoot(import.meta.dirname);

function findRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return start;
  }
}
