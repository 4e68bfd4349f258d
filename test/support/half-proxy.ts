import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A proxy that passes on less than it should. */
export interface HalfProxy {
  readonly url: string;
  /** How many WebSocket handshakes it has swallowed. */
  swallowed(): number;
  close(): void;
}

/** Starts a proxy before `target` that never answers WebSocket handshakes. `host` is the Host that it passes on; by default the browser's. */
export async function startHalfProxy(target: string, host?: string): Promise<HalfProxy> {
  const kept = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const passed = { ...headers, host: host ?? headers.host ?? '' };
    const far = request(new URL(url, target), { method, headers: passed }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    far.on('error', () => outgoing.destroy());
    outgoing.on('close', () => far.destroy());
    incoming.pipe(far);
  });
  server.on('upgrade', (_request, socket: Socket) => kept.add(socket.on('error', () => socket.destroy())));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallowed: () => kept.size,
    close: () => {
      for (const socket of kept) socket.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}
