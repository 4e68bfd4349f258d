import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A network that can fail: passes bytes on to a server until it is cut. */
export interface TcpProxy {
  readonly url: string;
  /** Destroys all connections and every new one. */
  cut(): void;
  /** Passes nothing on any more over the connections there are, and closes none. New ones work. */
  freeze(): void;
  /** Passes each piece of what comes back on only after so many milliseconds. */
  slow(ms: number): void;
  /** Passes on again. */
  mend(): void;
  /** Passes new connections on to the server at another `target`. */
  redirect(target: string): void;
  close(): Promise<void>;
}

/** Starts a proxy on a free port before the server at `target`. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  let { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let whole = true;
  let delayMs = 0;
  const server = createServer((near) => {
    if (!whole) return void near.destroy();
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      // An end or a fault of one side is the end of the other.
      from
        .on('error', () => to.destroy())
        .on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
      if (from === near) from.pipe(to);
      else from.on('data', (data) => setTimeout(() => to.write(data), delayMs));
    }
  });
  const destroyAll = (): void => sockets.forEach((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      whole = false;
      destroyAll();
    },
    freeze: () => sockets.forEach((socket) => socket.unpipe().removeAllListeners('data').pause()),
    slow: (ms) => {
      delayMs = ms;
    },
    mend: () => {
      whole = true;
    },
    redirect: (other) => {
      ({ hostname, port } = new URL(other));
    },
    close: () => {
      destroyAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
