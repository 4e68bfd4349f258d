import type { Cleanup } from '../harness/cleanup.js';
import { startProgram } from '../harness/processes.js';
import type { Remote } from '../harness/rpc.js';

/** Starts the benchmark's chat completions server in a process of its own; `url` is for `LLM_BASE_URL`. */
export async function startProvider(cleanup: Cleanup): Promise<{ url: string; provider: Remote }> {
  const provider = startProgram('servers/provider.js', cleanup);
  return { url: await provider.call<string>('listen'), provider };
}
