import { Logger } from '@nestjs/common';
import { spawn, type ChildProcess, type SendHandle } from 'node:child_process';
import { once } from 'node:events';
import { Server as NetServer, type ServerOpts, type Socket } from 'node:net';

/** Beside the server's own. */
const HANDLES = 7;
/** A program that sends every handle back: by then it is another handle of the same socket. */
const MIRROR = 'process.on("message", (_, handle) => process.send("", handle))';
/** How long it may take for all, in milliseconds. */
const MIRROR_MS = 10_000;

/** What of a server is used here and left out by its types; the options that it was made with are fields of it. */
interface Listening extends NetServer, Required<Pick<ServerOpts, 'allowHalfOpen' | 'noDelay'>> {
  readonly _handle: SendHandle;
  /** Those it counts: it is closed when none is left. */
  _connections: number;
}

/**
 * Further handles of a server's listening socket, so that it takes in several connections in each turn of the event loop. Each
 * handle takes in one (libuv, since 1.46): a process whose turns last 10 ms takes in a hundred a second by one, and
 * thousands knock at once when they come back. Node 20 opens no socket a second time by itself; what comes back from another
 * process is a handle of its own.
 */
export class Acceptors {
  private readonly logger = new Logger(Acceptors.name);
  private readonly opened: NetServer[] = [];
  private closed = false;

  /** @param server that listens. */
  constructor(private readonly server: NetServer) {}

  /** Never rejects: without them the server takes in connections as it did. */
  async open(handles = HANDLES): Promise<void> {
    try {
      await this.openAll(handles);
    } catch (error) {
      if (!this.closed)
        this.logger.warn(
          `No process could be started for a moment, so thousands that come at once are let in slowly: ${String(error)}`,
        );
    }
  }

  /** Lets the port go, as far as it is held here. */
  close(): void {
    this.closed = true;
    for (const acceptor of this.opened) acceptor.close();
  }

  private async openAll(handles: number): Promise<void> {
    const mirror = spawn(process.execPath, ['-e', MIRROR], {
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    try {
      const signal = AbortSignal.timeout(MIRROR_MS);
      while (this.opened.length < handles && !this.closed) await this.openOne(mirror, signal);
    } finally {
      // It holds the port as well.
      if (mirror.kill('SIGKILL')) await once(mirror, 'exit');
    }
  }

  private async openOne(mirror: ChildProcess, signal: AbortSignal): Promise<void> {
    const server = this.server as Listening;
    const [answer] = await Promise.all([once(mirror, 'message', { signal }), send(mirror, server._handle)]);
    const [, handle] = answer as [unknown, object];
    const acceptor = new NetServer(server) as Listening;
    acceptor.on('connection', (socket) => handOver(socket, acceptor, server)).listen(handle);
    this.opened.push(acceptor);
    if (this.closed) acceptor.close();
  }
}

/** From here on it is a connection of `to` as its own are: also one that its `close` waits for. */
function handOver(socket: Socket, from: Listening, to: Listening): void {
  from._connections -= 1;
  to._connections += 1;
  Object.assign(socket, { _server: to });
  to.emit('connection', socket);
}

function send(mirror: ChildProcess, handle: SendHandle): Promise<void> {
  return new Promise((resolve, reject) =>
    mirror.send('', handle, (error: Error | null) => (error ? reject(error) : resolve())),
  );
}
