import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, ROOT } from './lib/prepare.mjs';
import { launch } from './lib/say.mjs';

await launch(prepare);
const built = new URL('../dist/src/config/', import.meta.url);
const { VARIABLES } = await import(new URL('variables.js', built).href);
const { renderEnvExample } = await import(new URL('render.js', built).href);
writeFileSync(join(ROOT, '.env.example'), renderEnvExample(VARIABLES));
