import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { DomainError } from '../../common/domain-error.js';
import { randomText } from '../../common/ids.js';
import { invalid } from '../validation/payload.js';
import { toProblem } from './problem.js';

/** Time limits for a client, in milliseconds. The duration of a response is not limited: a stream may last for hours. */
interface ListenerTimes {
  /** For the request line and headers, from the connection on. It also cuts a client that sends nothing. */
  headersMs: number;
  /** For the whole request: enough for 64 KiB at a slow phone's 5 KiB/s. */
  requestMs: number;
  /** Between two requests. Longer than the 60 s of usual proxies, so that they do not reuse closing connections. */
  keepAliveMs: number;
  /**
   * For the next byte of a response that waits to be read, and is kept in memory until then. Node checks twice, so it may
   * take up to double.
   */
  unreadMs: number;
  /** Interval of the checks. */
  checkMs: number;
}

const TIMES: ListenerTimes = {
  headersMs: 15_000,
  requestMs: 30_000,
  keepAliveMs: 65_000,
  unreadMs: 30_000,
  checkMs: 5000,
};

/** Limit of the request line and headers together; a token of 8 KiB fits. */
const MAX_HEADER_BYTES = 16_384;
const MAX_HEADERS = 100;

/**
 * Limits the cost of clients that are slow or do not send HTTP, and responds to the latter with a problem body. Must be
 * called before `server` listens.
 */
export function guardListener(server: Server, times = TIMES): void {
  // Node reads them for each connection and when it starts to listen. Its types know them only as options of the
  // constructor.
  Object.assign(server, { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: times.checkMs });
  server.maxHeadersCount = MAX_HEADERS;
  server.headersTimeout = times.headersMs;
  server.requestTimeout = times.requestMs;
  server.keepAliveTimeout = times.keepAliveMs;
  server.setTimeout(times.unreadMs, cutSilent);
  server.on('clientError', refuseMalformed);
  // Node first emits it as a client error, and a response to that would wait for the handshake for ever.
  server.on('tlsClientError', (_error: Error, socket: Duplex) => socket.destroy());
  server.on('checkExpectation', refuseExpectation);
}

/** Node's own response would be empty: it supports only `100-continue` in `Expect` (RFC 9110, 10.1.1). */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const fault = invalid(['the Expect header cannot be satisfied']);
  const body = JSON.stringify({ ...toProblem(fault, randomText(12)), status: 417 });
  const headers = { 'Content-Type': 'application/problem+json', 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(417, { ...headers, Connection: 'close' }).end(body);
}

interface ParserError extends Error {
  code?: string;
}

function refuseMalformed({ code }: ParserError, socket: Duplex): void {
  // The client has disconnected, or a response is in progress: no error can be sent.
  if (!socket.writable || code === 'ECONNRESET' || responseOn(socket)?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, fault } = whatIsWrong(code);
  const body = JSON.stringify({ ...toProblem(fault, randomText(12)), status });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** Neither side has sent anything for the allowed time. That is fine while a response is pending or in progress. */
function cutSilent(socket: Duplex): void {
  if (!responseOn(socket) || socket.writableLength > 0) socket.destroy();
}

/** Returns Node's internal field: the current or next response of a connection. */
function responseOn(socket: Duplex): ServerResponse | null | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage;
}

function whatIsWrong(code: string | undefined): { status: number; fault: DomainError } {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const message = `The request line and the headers together may have at most ${MAX_HEADER_BYTES} bytes.`;
    return { status: 431, fault: new DomainError('payload_too_large', message) };
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return { status: 413, fault: new DomainError('payload_too_large', 'The chunk extensions are too long.') };
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { status: 408, fault: new DomainError('timeout', 'The request took too long to arrive.') };
  }
  return { status: 400, fault: invalid(['this is not a valid HTTP request']) };
}
