import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingRequirements } from './requirements.mjs';
import { endWithUs } from './signals.mjs';
import { say } from './say.mjs';

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed Tests, files that could not be loaded, and errors outside any test.
 * @property {string[]} skipped The names of the tests that did not run.
 */

/**
 * The part of Vitest's JSON report that is read here.
 * @typedef {object} Report
 * @property {readonly { status: string, assertionResults: readonly { status: string, fullName: string }[] }[]} testResults
 */

/**
 * Runs the tests in this terminal.
 * @param {string} root
 * @param {readonly string[]} args passed to Vitest as they are.
 * @returns {Promise<Counts>}
 */
export async function runTests(root, args) {
  const folder = mkdtempSync(join(tmpdir(), 'streamgate-report-'));
  const file = join(folder, 'report.json');
  try {
    const program = join('node_modules', 'vitest', 'vitest.mjs');
    const outputs = ['default', 'json', './test/support/second-tries.ts'];
    const reporters = [...outputs.map((name) => `--reporter=${name}`), `--outputFile.json=${file}`];
    const code = await run(root, [program, 'run', ...reporters, ...args]);
    const report = existsSync(file)
      ? /** @type {Report} */ (JSON.parse(readFileSync(file, 'utf8')))
      : undefined;
    return countTests(report, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * What a run came to. A run without tests has failed, and so has one that Vitest says has, whatever it counted.
 * @param {Report | undefined} report undefined where none was written.
 * @param {number} code the exit code of Vitest.
 * @returns {Counts}
 */
export function countTests(report, code) {
  /** @type {Counts} */
  const counts = { passed: 0, failed: 0, skipped: [] };
  for (const { status, assertionResults } of report?.testResults ?? []) {
    const before = counts.failed;
    for (const test of assertionResults) {
      if (test.status === 'passed' || test.status === 'failed') counts[test.status] += 1;
      else counts.skipped.push(test.fullName);
    }
    if (status === 'failed' && counts.failed === before) counts.failed += 1;
  }
  if (counts.failed === 0 && (code !== 0 || counts.passed === 0)) counts.failed = 1;
  return counts;
}

/**
 * Says what was skipped and why.
 * @param {Counts} counts
 */
export function saySkipped({ skipped }) {
  const missing = missingRequirements();
  if (skipped.length === 0 && missing.length === 0) return;
  say(`\nSKIPPED: ${skipped.length} tests did not run.`);
  for (const name of skipped) say(`  ${name}`);
  for (const { name, remedy } of missing) say(`  Not on this machine: ${name}. ${remedy}`);
}

/**
 * @param {string} root
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit code
 */
function run(root, args) {
  return new Promise((resolve, reject) => {
    // The channel carries nothing: its end tells the run that this process is gone.
    const stdio = /** @type {const} */ (['ignore', 'inherit', 'inherit', 'ipc']);
    const child = spawn(process.execPath, args, { cwd: root, stdio: [...stdio] });
    const release = endWithUs(child);
    child.once('error', reject);
    child.once('close', (code) => {
      release();
      resolve(code ?? 1);
    });
  });
}
