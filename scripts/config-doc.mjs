// npm run config:doc: writes .env.example, and the tables of docs/configuration.md, as src/platform/config/variables.ts has them.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, ROOT } from './lib/prepare.mjs';
import { launch } from './lib/say.mjs';

const PAGE = join(ROOT, 'docs', 'configuration.md');

await launch(prepare);
const { GROUPS, VARIABLES } = await built('variables.js');
const { renderEnvExample, renderTables } = await built('render.js');
writeFileSync(join(ROOT, '.env.example'), renderEnvExample(VARIABLES));
writeFileSync(PAGE, renderTables(readFileSync(PAGE, 'utf8'), GROUPS));

/**
 * A module of the build.
 * @param {string} name
 * @returns {Promise<typeof import('../src/platform/config/variables.ts') & typeof import('../src/platform/config/render.ts')>}
 */
function built(name) {
  return import(new URL(`../dist/config/${name}`, import.meta.url).href);
}
