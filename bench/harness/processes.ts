import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Cleanup } from './cleanup.js';
import { Remote } from './rpc.js';

/** Folder of the compiled benchmark. */
export const BENCH = join(import.meta.dirname, '..');
/** Folder of package.json. */
export const ROOT = join(BENCH, '../../..');

const READY_MS = 60_000;
const END_MS = 10_000;

/** What a server process has used up to now. */
export interface Usage {
  /** User and system time of this process alone, in microseconds. */
  cpuUs: number;
  rssBytes: number;
  heapBytes: number;
}

/** A server in a process of its own, with the probe inside. */
export interface ServerProcess {
  readonly name: string;
  readonly url: string;
  usage(): Promise<Usage>;
  /** Collects garbage, so that what is left is in use. */
  collectGarbage(): Promise<void>;
  startProfile(): Promise<void>;
  /** Writes the profile to `file`. */
  stopProfile(file: string): Promise<void>;
  /** SIGTERM; resolves when the process has ended, however long that takes. */
  terminate(): Promise<void>;
}

export interface ServerProgram {
  name: string;
  /** Compiled program; it prints `ready: <url>`. */
  program: string;
  env: Record<string, string>;
}

/** Starts a server and waits until it is ready. @throws with its output when it does not get so far. */
export async function startServer(
  { name, program, env }: ServerProgram,
  cleanup: Cleanup,
): Promise<ServerProcess> {
  const probe = pathToFileURL(join(BENCH, 'harness/probe.js')).href;
  const child = fork(program, [], {
    execArgv: ['--expose-gc', '--import', probe],
    env: { PATH: process.env['PATH'] ?? '', ...env },
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  cleanup.add(() => end(child));
  const remote = new Remote(child, name);
  const url = await readyUrl(child, name);
  return {
    name,
    url,
    usage: () => remote.call('usage'),
    collectGarbage: () => remote.call('collectGarbage'),
    startProfile: () => remote.call('startProfile'),
    stopProfile: (file) => remote.call('stopProfile', file),
    terminate: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** Starts a program of the benchmark that answers calls: a load generator or the provider. */
export function startProgram(program: string, cleanup: Cleanup): Remote {
  const child = fork(join(BENCH, program), [], { serialization: 'advanced' });
  cleanup.add(() => end(child));
  return new Remote(child, program);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await gone;
  clearTimeout(timer);
}

function readyUrl(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (): void => reject(new Error(`${name} did not get ready:\n${output}`));
    const timer = setTimeout(fail, READY_MS);
    child.once('exit', fail);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        // What a server complains of under load belongs to the result.
        if (output === 'ready') process.stderr.write(`[${name}] ${text}`);
        else output += text;
        const url = /ready: ([^\s"]+)/.exec(output)?.[1];
        if (url === undefined) return;
        output = 'ready';
        clearTimeout(timer);
        child.off('exit', fail);
        resolve(url);
      });
    }
  });
}
