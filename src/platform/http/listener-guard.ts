import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { DomainError } from '../../common/domain-error.js';
import { randomText } from '../../common/ids.js';
import { invalid } from '../validation/payload.js';
import { toProblem } from './problem.js';

/** How long a client may take, in milliseconds. How long answers last is not counted: one that is streamed may last for hours. */
interface ListenerTimes {
  /** For the request's line and headers, from the connection on: also who sends nothing at all is cut. */
  headersMs: number;
  /** For the whole request: 64 KiB at a slow phone's 5 KiB/s, with room. */
  requestMs: number;
  /** Between two requests: longer than the 60 s for which proxies keep theirs, or they meet closing connections. */
  keepAliveMs: number;
  /** For the next byte of an answer that waits to be read, which is kept in memory until then. Node looks twice: up to double. */
  unreadMs: number;
  /** How often it is looked who took too long. */
  checkMs: number;
}

const TIMES: ListenerTimes = {
  headersMs: 15_000,
  requestMs: 30_000,
  keepAliveMs: 65_000,
  unreadMs: 30_000,
  checkMs: 5000,
};

/** What Node itself reads for the line and the headers of a request, together; a token of 8 KiB fits. */
const MAX_HEADER_BYTES = 16_384;
const MAX_HEADERS = 100;

/**
 * Bounds what a client can cost by being slow or by sending no HTTP, and answers the latter by a problem body. To be called
 * before `server` listens.
 */
export function guardListener(server: Server, times = TIMES): void {
  // Read when a connection comes, and when it begins to listen; the types know them as options of the constructor only.
  Object.assign(server, { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: times.checkMs });
  server.maxHeadersCount = MAX_HEADERS;
  server.headersTimeout = times.headersMs;
  server.requestTimeout = times.requestMs;
  server.keepAliveTimeout = times.keepAliveMs;
  server.setTimeout(times.unreadMs, cutSilent);
  server.on('clientError', answerNoHttp);
  // Node tells it as a client error first, whose answer would wait for the handshake for ever.
  server.on('tlsClientError', (_error: Error, socket: Duplex) => socket.destroy());
  server.on('checkExpectation', refuseExpectation);
}

/** Node's own answer would be an empty one: `Expect` knows `100-continue` only (RFC 9110, 10.1.1). */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const fault = invalid(['what the Expect header asks for cannot be met']);
  const body = JSON.stringify({ ...toProblem(fault, randomText(12)), status: 417 });
  const headers = { 'Content-Type': 'application/problem+json', 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(417, { ...headers, Connection: 'close' }).end(body);
}

interface ParserError extends Error {
  code?: string;
}

function answerNoHttp({ code }: ParserError, socket: Duplex): void {
  // Nothing can be said to who is gone, or in the middle of an answer.
  if (!socket.writable || code === 'ECONNRESET' || answerOn(socket)?.headersSent) {
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

/** Nothing was sent either way for the time that it had: that is well where its answer is still to come, or goes on. */
function cutSilent(socket: Duplex): void {
  if (!answerOn(socket) || socket.writableLength > 0) socket.destroy();
}

/** Node's own field: the response that is being written to a connection, or will be. */
function answerOn(socket: Duplex): ServerResponse | null | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage;
}

function whatIsWrong(code: string | undefined): { status: number; fault: DomainError } {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const message = `The address and the headers together may have ${MAX_HEADER_BYTES} bytes.`;
    return { status: 431, fault: new DomainError('payload_too_large', message) };
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return { status: 413, fault: new DomainError('payload_too_large', 'The chunk extensions are too long.') };
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { status: 408, fault: new DomainError('timeout', 'The request took too long to arrive.') };
  }
  return { status: 400, fault: invalid(['this is no valid HTTP request']) };
}
