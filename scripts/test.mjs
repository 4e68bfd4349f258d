import { prepare, ROOT } from './lib/prepare.mjs';
import { launch } from './lib/say.mjs';
import { runTests, saySkipped } from './lib/tests.mjs';

await launch(() => prepare({ dev: true }));
const counts = await runTests(ROOT, process.argv.slice(2));
saySkipped(counts);
console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;
