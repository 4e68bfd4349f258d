import { runChecks } from './lib/checks.mjs';
import { prepare, ROOT } from './lib/prepare.mjs';
import { launch } from './lib/say.mjs';

await launch(() => prepare({ dev: true }));
const failed = await runChecks(ROOT);
process.exitCode = failed.length > 0 ? 1 : 0;
