import type { ChildProcess } from 'node:child_process';

interface Call {
  bench: 'call';
  id: number;
  method: string;
  params: unknown;
}

interface Answer {
  bench: 'answer';
  id: number;
  result?: unknown;
  error?: string;
}

/** What a process of the benchmark does when it is asked. */
export type Methods = Record<string, (params: never) => unknown>;

/** Answers the parent's calls. Ends this process when the parent is gone. */
export function serve(methods: Methods): void {
  process.on('message', (message: Partial<Call>) => {
    if (message.bench === 'call') void answer(message as Call, methods);
  });
  process.on('disconnect', () => process.exit(1));
}

async function answer({ id, method, params }: Call, methods: Methods): Promise<void> {
  const reply: Answer = { bench: 'answer', id };
  try {
    const work = methods[method] as ((params: unknown) => unknown) | undefined;
    if (!work) throw new Error(`there is no method ${method}`);
    reply.result = await work(params);
  } catch (error) {
    reply.error = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  process.send?.(reply);
}

/** The other end of {@link serve}. */
export class Remote {
  private readonly waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (e: Error) => void }
  >();
  private lastId = 0;

  constructor(
    private readonly child: ChildProcess,
    private readonly name: string,
  ) {
    child.on('message', (message: Partial<Answer>) => {
      if (message.bench === 'answer') this.take(message as Answer);
    });
    child.once('exit', (code, signal) => this.failAll(new Error(`${name} ended (${signal ?? code})`)));
  }

  /** @throws what the method threw, or that the process has ended. */
  call<T>(method: string, params?: unknown): Promise<T> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      const call: Call = { bench: 'call', id, method, params };
      this.child.send(call, (error) => {
        if (error) this.failAll(error);
      });
    });
  }

  private take({ id, result, error }: Answer): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.resolve(result as never);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }

  private failAll(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
