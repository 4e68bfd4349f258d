import { spawn } from 'node:child_process';
import { elapsed, PrepareError, say } from './say.mjs';
import { endWithUs } from './signals.mjs';

const REPORT_EVERY_MS = 15_000;
const KEPT_OUTPUT_CHARS = 20_000;

/**
 * @typedef {object} Step
 * @property {string} doing What is being done, such as `Installing dependencies`.
 * @property {string} [note] Said once, behind it: how long it takes.
 * @property {(output: string) => string} advice What to do when it fails with this output; one sentence.
 * @property {string} cwd
 * @property {Record<string, string | undefined>} [env] Instead of this process's own.
 * @property {boolean} [shell] Whether the command is a script that only a shell finds (npm on Windows).
 */

/**
 * Runs a long command quietly: says what it is doing at the start, every fifteen seconds, and at the end.
 * A signal that ends this process ends the command too.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Step} step
 * @throws {PrepareError} with the command's output and the step's advice when it fails.
 */
export async function runStep(command, args, step) {
  const startedAt = Date.now();
  say(`${step.doing}${step.note ? ` (${step.note})` : ''} …`);
  const reminder = setInterval(() => say(`${step.doing} … ${elapsed(startedAt)}`), REPORT_EVERY_MS);
  try {
    const { code, output } = await capture(command, args, step);
    if (code !== 0) throw new PrepareError(failure(step, code, output));
  } finally {
    clearInterval(reminder);
  }
  say(`${step.doing}: done in ${elapsed(startedAt)}.`);
}

/**
 * Runs a command and keeps the end of what it printed, both streams together.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env?: Record<string, string | undefined>, shell?: boolean }} options
 * @returns {Promise<{ code: number, output: string }>} `code` is 127 when it could not be started.
 */
export function capture(command, args, { cwd, env = process.env, shell = false }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    const release = endWithUs(child);
    let output = '';
    /** @param {Buffer} data */
    const keep = (data) => {
      output = (output + data.toString()).slice(-KEPT_OUTPUT_CHARS);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => {
      release();
      resolve({ code: 127, output: error.message });
    });
    child.once('close', (code) => {
      release();
      resolve({ code: code ?? 1, output });
    });
  });
}

/**
 * @param {Step} step
 * @param {number} code
 * @param {string} output
 */
function failure(step, code, output) {
  const sentence = `${step.doing} failed (exit code ${code}).`;
  return [output.trimEnd(), '', sentence, step.advice(output)].join('\n');
}
