import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Server as TlsServer } from 'node:tls';

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Headers that only concern an upgrade. */
const UPGRADE_HEADERS = ['upgrade', 'http2-settings'];

/**
 * Makes `server` respond to a request for another protocol than WebSocket as if it did not ask for one (RFC 9110, 7.8):
 * `curl --http2` and Java's HttpClient ask for `h2c` with every first request. Node gives each such request to the
 * listeners for upgrades, so call this after they were added.
 */
export function ignoreOtherUpgrades(server: Server): void {
  const listeners = server.listeners('upgrade') as UpgradeListener[];
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') readAgain(server, request, socket, head);
    else for (const listener of listeners) listener(request, socket, head);
  });
}

/** Lets Node parse the request anew, without the headers that ask for an upgrade. */
function readAgain(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  // Node leaves out what is beyond its limit. A length of the body among it must not be lost.
  if (rawHeaders.length >= 2 * (server.maxHeadersCount ?? 2000)) {
    socket.destroy();
    return;
  }
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const value = rawHeaders[index + 1] as string;
    if (UPGRADE_HEADERS.includes(name.toLowerCase())) continue;
    lines.push(`${name}: ${name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit(server instanceof TlsServer ? 'secureConnection' : 'connection', socket);
}

/** The options of a `Connection` header that do not concern an upgrade. */
function withoutUpgrade(options: string): string {
  const others = options
    .split(',')
    .map((option) => option.trim())
    .filter((option) => !UPGRADE_HEADERS.includes(option.toLowerCase()));
  return others.join(', ') || 'keep-alive';
}
