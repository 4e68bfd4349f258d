import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface EmbeddedProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it said once it was up or had given up. */
  readonly said: Promise<{ url?: string; error?: string }>;
  /** Ends the process as `kill -9` does, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Runs the program in a process group of its own, as `user` where given. */
export function runProgram(
  program: string,
  options: object,
  user: { uid?: number; gid?: number } = {},
): EmbeddedProcess {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    ...user,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said = once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(20_000) });
  return {
    child,
    pid: child.pid as number,
    said: said.then(([line]) => JSON.parse(line as string) as { url?: string; error?: string }),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
