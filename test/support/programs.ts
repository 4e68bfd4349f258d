import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bundle } from '../../scripts/lib/bundle.mjs';
import { ROOT } from './pages.js';

/** Below node_modules, so that programs find their packages from there. */
const OUT = join(ROOT, 'node_modules/.cache', `streamgate-test-${process.pid}`);

/** Bundles a program of the tests as the service is bundled; `source` is relative to the project. Gives its path. */
export async function buildProgram(source: string): Promise<string> {
  const name = basename(source, '.ts');
  await bundle(OUT, { cwd: ROOT, entries: { [name]: source } });
  return join(OUT, `${name}.js`);
}

/** Removes what {@link buildProgram} made. */
export async function removePrograms(): Promise<void> {
  await rm(OUT, { recursive: true, force: true });
}
