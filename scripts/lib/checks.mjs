import { join } from 'node:path';
import { lockfileFaults } from './lockfile.mjs';
import { capture } from './run.mjs';
import { elapsed, say } from './say.mjs';

/** @typedef {{ name: string, run: (root: string) => Promise<{ code: number, output: string }> }} Check */

/**
 * A check by a tool of node_modules.
 * @param {string} name
 * @param {string} program
 * @param {string[]} args
 * @returns {Check}
 */
const tool = (name, program, ...args) => ({
  name,
  run: (root) => capture(process.execPath, [join('node_modules', program), ...args], { cwd: root }),
});

/** All checks, the longest first: two run at a time. @type {Check[]} */
const CHECKS = [
  tool('types', 'typescript/bin/tsc', '--noEmit', '--pretty', 'false'),
  tool('lint', 'oxlint/bin/oxlint', '--type-aware', '--deny-warnings'),
  tool('format', 'prettier/bin/prettier.cjs', '--check', '--cache', '.'),
  tool(
    'imports',
    'dependency-cruiser/bin/dependency-cruise.mjs',
    '--config',
    '.dependency-cruiser.cjs',
    'src',
    'migrations',
    'test',
    'scripts',
    'bench',
  ),
  tool('unused', 'knip/bin/knip.js', '--no-progress'),
  {
    name: 'lockfile',
    run: async (root) => {
      const faults = lockfileFaults(root);
      return { code: faults.length, output: faults.join('\n') };
    },
  },
];
const AT_ONCE = 2;

/**
 * Runs every check, also after one has failed, and prints what each has to say that failed.
 * @param {string} root
 * @returns {Promise<string[]>} the names of those that failed.
 */
export async function runChecks(root) {
  /** @type {string[]} */
  const failed = [];
  const waiting = CHECKS.values();
  const worker = async () => {
    for (const check of waiting) if (!(await passes(check, root))) failed.push(check.name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  say(failed.length === 0 ? 'All checks passed.' : `Failed checks: ${failed.join(', ')}.`);
  return failed;
}

/**
 * @param {Check} check
 * @param {string} root
 */
async function passes({ name, run }, root) {
  const startedAt = Date.now();
  const { code, output } = await run(root);
  if (code === 0) say(`${name}: ok (${elapsed(startedAt)})`);
  else say(`${name}: FAILED (${elapsed(startedAt)})\n\n${output.trimEnd()}\n`);
  return code === 0;
}
