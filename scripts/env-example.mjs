import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, ROOT } from './lib/prepare.mjs';
import { launch } from './lib/say.mjs';

await launch(prepare);
const { VARIABLES } = await built('variables.js');
const { renderEnvExample } = await built('render.js');
writeFileSync(join(ROOT, '.env.example'), renderEnvExample(VARIABLES));

/**
 * A module of the build.
 * @param {string} name
 * @returns {Promise<typeof import('../src/config/variables.ts') & typeof import('../src/config/render.ts')>}
 */
function built(name) {
  return import(new URL(`../dist/src/config/${name}`, import.meta.url).href);
}
