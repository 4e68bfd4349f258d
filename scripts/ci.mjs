import { inspect } from 'node:util';
import { runChecks } from './lib/checks.mjs';
import { prepare, ROOT } from './lib/prepare.mjs';
import { PrepareError, say } from './lib/say.mjs';
import { runTests, saySkipped } from './lib/tests.mjs';

/** Everything that CI does on a fresh clone; the last line, always: `N passed, N failed`. A failed check counts as one. */
async function everything() {
  await prepare({ dev: true });
  const failedChecks = await runChecks(ROOT);
  const counts = await runTests(ROOT, []);
  saySkipped(counts);
  if (failedChecks.length > 0) say(`\nFailed checks: ${failedChecks.join(', ')} (their output is above).`);
  return { passed: counts.passed, failed: counts.failed + failedChecks.length };
}

const { passed, failed } = await everything().catch((/** @type {unknown} */ error) => {
  say(error instanceof PrepareError ? error.message : inspect(error));
  return { passed: 0, failed: 1 };
});
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
