import { connect, type Socket } from 'node:net';

const DEADLINE_MS = 12_000;

/** What a TCP connection that may say anything heard. */
export interface Heard {
  /** As Latin-1: each character is a byte. */
  text: string;
  /** Whether the server closed it. */
  closed: boolean;
}

/** A TCP connection to the server; errors of the network are its end. */
export function dial(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => socket.destroy());
  return socket.setNoDelay(true);
}

/**
 * Says `parts`, and listens until the server closes or `enough` has come, then cuts. @throws where neither happens within 12 s.
 */
export function converse(
  url: string,
  parts: readonly (string | Buffer)[],
  { enough = () => false, end = false }: { enough?: (text: string) => boolean; end?: boolean } = {},
): Promise<Heard> {
  const socket = dial(url);
  let text = '';
  return new Promise((resolve, reject) => {
    const done = (act: () => void): void => {
      clearTimeout(timer);
      socket.destroy();
      act();
    };
    const timer = setTimeout(
      () => done(() => reject(new Error(`no end within ${DEADLINE_MS} ms: ${text.slice(0, 300)}`))),
      DEADLINE_MS,
    );
    socket.setEncoding('latin1').on('data', (data: string) => {
      text += data;
      if (enough(text)) done(() => resolve({ text, closed: false }));
    });
    socket.on('close', () => done(() => resolve({ text, closed: true })));
    for (const part of parts) socket.write(part);
    if (end) socket.end();
  });
}

/** An HTTP request as bytes; `body` brings its own `Content-Length` unless `headers` have one. */
export function requestBytes(line: string, headers: readonly [string, string][], body?: Buffer): Buffer {
  const isFramed = headers.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name));
  const all: [string, string][] = [['Host', 'fuzz.test'], ['Connection', 'close'], ...headers];
  if (body && !isFramed) all.push(['Content-Length', String(body.length)]);
  const head = `${line} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body ?? Buffer.alloc(0)]);
}
