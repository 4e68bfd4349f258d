import { Logger } from '@nestjs/common';
import { spawn, type ChildProcess, type SendHandle } from 'node:child_process';
import { once } from 'node:events';
import {
  createServer,
  Server as NetServer,
  type AddressInfo,
  type ListenOptions,
  type ServerOpts,
  type Socket,
} from 'node:net';

/** A program that sends every handle back: what comes back is another handle of the same socket. */
const MIRROR = 'process.on("message", (_, handle) => process.send("", handle))';
/** The longest time that opening all handles may take, in milliseconds. */
const MIRROR_MS = 10_000;

/** Node's option of that name, since 23.1, which the types of older versions lack. */
interface ReusePort {
  reusePort: boolean;
}

/** Fields of a server that its types leave out; the options of its constructor are fields of it. */
interface Listening extends NetServer, Required<Pick<ServerOpts, 'allowHalfOpen' | 'noDelay'>> {
  readonly _handle: SendHandle;
  /** The connections that it counts. `close` ends when none is left. */
  _connections: number;
}

/** Whether this Node lets several sockets listen on one port, so that no private API is needed. */
export const CAN_REUSE_PORT = process.platform === 'linux' && isAtLeast(23, 1);

function isAtLeast(major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = process.versions.node.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/**
 * Returns how a server must listen on `port` for {@link Acceptors} to open `handles` more. Where they reuse the port, this
 * makes sure that no other process has it: the kernel would let both listen.
 * @throws the error of `listen`, such as `EADDRINUSE`.
 */
export async function listenOptions(
  port: number,
  host: string,
  handles: number,
): Promise<ListenOptions & ReusePort> {
  if (!CAN_REUSE_PORT || handles === 0) return { port, host, reusePort: false };
  return { port: await probePort(port, host), host, reusePort: true };
}

/** Listens on a port for a moment, and returns it; for 0, a free one. @throws the error of `listen`, such as `EADDRINUSE`. */
export async function probePort(port: number, host: string): Promise<number> {
  const probe = createServer().listen(port, host);
  await once(probe, 'listening');
  const { port: free } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return free;
}

/**
 * Opens further handles on a server's port, so that the server accepts several connections in each turn of the event loop.
 * A handle accepts one in a turn (libuv, since 1.46): with turns of 10 ms that is a hundred a second, and thousands of
 * clients come back at once after a deploy. Where Node cannot reuse a port, another process sends handles of the
 * socket back: that needs private fields of Node (docs/private-apis.md).
 */
export class Acceptors {
  private readonly logger = new Logger(Acceptors.name);
  private readonly opened: NetServer[] = [];
  private readonly closing = new AbortController();

  /** @param server that listens, by {@link listenOptions}. */
  constructor(private readonly server: NetServer) {}

  /**
   * Opens `handles` more; 0 opens none. Never rejects: without them the server accepts connections more slowly.
   * @param reusePort as {@link listenOptions} returned it.
   */
  async open(handles: number, reusePort = false): Promise<void> {
    if (handles === 0) return;
    try {
      await (reusePort ? this.openByPort(handles) : this.openByMirror(handles));
    } catch (error) {
      if (!this.closing.signal.aborted)
        this.logger.warn('failed to open further listening handles', { handles, error });
    }
  }

  /** Closes all handles that were opened here. */
  close(): void {
    this.closing.abort();
    for (const acceptor of this.opened) acceptor.close();
  }

  private async openByPort(handles: number): Promise<void> {
    const { address: host, port } = this.server.address() as AddressInfo;
    const options: ListenOptions & ReusePort = { host, port, reusePort: true };
    while (this.opened.length < handles && !this.closing.signal.aborted) {
      const acceptor = this.acceptor().listen(options);
      this.opened.push(acceptor);
      await once(acceptor, 'listening', this.closing);
    }
  }

  private async openByMirror(handles: number): Promise<void> {
    const mirror = spawn(process.execPath, ['-e', MIRROR], {
      env: {},
      // A terminal's Ctrl-C must not end it halfway.
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    try {
      const signal = AbortSignal.timeout(MIRROR_MS);
      while (this.opened.length < handles && !this.closing.signal.aborted) await this.openOne(mirror, signal);
    } finally {
      // The mirror holds the port as well.
      if (mirror.kill('SIGKILL')) await once(mirror, 'exit');
    }
  }

  private async openOne(mirror: ChildProcess, signal: AbortSignal): Promise<void> {
    const { _handle: own } = this.server as Listening;
    const [reply] = await Promise.all([once(mirror, 'message', { signal }), send(mirror, own)]);
    const [, handle] = reply as [unknown, object];
    const acceptor = this.acceptor().listen(handle);
    this.opened.push(acceptor);
    if (this.closing.signal.aborted) acceptor.close();
  }

  private acceptor(): NetServer {
    const server = this.server as Listening;
    const acceptor = new NetServer(server) as Listening;
    return acceptor.on('connection', (socket) => handOver(socket, acceptor, server));
  }
}

/** Makes a connection one of `to`, so that `close` of `to` waits for it too. */
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
