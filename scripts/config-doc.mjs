// npm run config:doc: writes .env.example, and the lists of docs/configuration.md, from src/platform/config/variables.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, ROOT } from './lib/prepare.mjs';
import { launch } from './lib/say.mjs';

const PAGE = join(ROOT, 'docs', 'configuration.md');

await launch(prepare);
const { GROUPS, VARIABLES } = await built('variables.js');
const { renderEnvExample, renderLists } = await built('render.js');
writeFileSync(join(ROOT, '.env.example'), renderEnvExample(VARIABLES));
writeFileSync(PAGE, renderLists(readFileSync(PAGE, 'utf8'), GROUPS));

/**
 * A module of the build.
 * @param {string} name
 * @returns {Promise<typeof import('../src/platform/config/variables.ts') & typeof import('../src/platform/config/render.ts')>}
 */
function built(name) {
  return import(new URL(`../dist/config/${name}`, import.meta.url).href);
}
