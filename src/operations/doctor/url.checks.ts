import { randomUUID } from 'node:crypto';
import { io } from 'socket.io-client';
import { SOCKET_PATH, type Chunk } from '../../protocol/index.js';
import { checkAddress, checkOrigin } from './address.checks.js';
import { fail, ok, warn, type Finding } from './finding.js';

const TIMEOUT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 60_000;
/** An answer that took less time than this cannot show whether a proxy held it back. */
const MIN_ANSWER_MS = 200;
/** A network delivers two or three chunks together now and then. A buffering proxy delivers a dozen each time. */
const MAX_CHUNKS_PER_READ = 4;
const COMPARE_REMEDY = 'Compare your proxy with the files in deploy/.';

/** Checks whether sockets and streamed answers pass a proxy unharmed. `token` is a user's; without it, a guest token is used. */
export async function checkUrl(givenUrl: string, token?: string): Promise<Finding[]> {
  const url = givenUrl.replace(/\/+$/, '');
  const address = await checkAddress(url);
  if (address.level === 'fail') return [address];
  const origin = await checkOrigin(url);
  const refused = origin.level === 'fail' ? [origin] : [];
  const user = token ?? (await guestToken(url));
  if (user === undefined) {
    const message = `${url} responds, but does not admit guests.`;
    const remedy = 'Pass a token: --token "$(npm run -s token -- --sub doctor)".';
    return [...refused, warn('address', message, remedy)];
  }
  return [
    address,
    ...refused,
    await checkTransport(url, user, 'websocket'),
    await checkTransport(url, user, 'polling'),
    ...(await checkAnswer(url, user)),
  ];
}

async function guestToken(url: string): Promise<string | undefined> {
  const response = await fetch(`${url}/api/auth/guest`, {
    method: 'POST',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined);
  return response?.ok ? ((await response.json()) as { token: string }).token : undefined;
}

function checkTransport(url: string, token: string, transport: 'websocket' | 'polling'): Promise<Finding> {
  const socket = io(url, {
    ...{
      path: SOCKET_PATH,
      transports: [transport],
      reconnection: false,
      forceNew: true,
      timeout: TIMEOUT_MS,
    },
    auth: { token },
    // What a browser sends for a page at this address.
    extraHeaders: { Origin: new URL(url).origin },
  });
  return new Promise<Finding>((resolve) => {
    socket.once('connect', () => resolve(ok(transport, 'A socket connects.')));
    socket.once('connect_error', (error) => {
      const status = statusOf(error);
      const advice =
        status === 403
          ? 'See “origin”, or check whether the proxy asks for a sign-in.'
          : 'The proxy must forward the headers Upgrade and Connection.';
      const remedy =
        transport === 'websocket' || status === 403 ? `${advice} ${COMPARE_REMEDY}` : COMPARE_REMEDY;
      const reason = status === undefined ? error.message : `${error.message}, ${status}`;
      resolve(fail(transport, `A socket cannot connect (${reason}).`, remedy));
    });
  }).finally(() => socket.disconnect());
}

/** Returns the HTTP status that a transport was refused with. */
function statusOf({ description, message }: Error & { description?: unknown }): number | undefined {
  if (typeof description === 'number') return description;
  const cause = (description as { message?: string } | undefined)?.message ?? message;
  const status = /response: (\d{3})/.exec(cause)?.[1];
  return status === undefined ? undefined : Number(status);
}

/** Asks the guide a question by SSE, and checks when and how the chunks arrive. */
async function checkAnswer(url: string, token: string): Promise<Finding[]> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const conversationId = `doctor-${randomUUID()}`;
  const call = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(url + path, {
      method,
      headers,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    });
  try {
    await call('POST', '/api/conversations', { id: conversationId });
    const question = { conversationId, message: 'How do I start Streamgate?', provider: 'guide' };
    const response = await call('POST', '/api/ws/stream/sse', question);
    if (!response.ok || !response.body) {
      return [fail('answer', `No answer by SSE (${response.status}).`, COMPARE_REMEDY)];
    }
    return [checkHeaders(response.headers), checkPace(await readAnswer(response.body))];
  } catch (error) {
    return [
      fail(
        'answer',
        `The answer by SSE was cut off: ${(error as Error).message}.`,
        `The proxy's timeouts may be too short. ${COMPARE_REMEDY}`,
      ),
    ];
  } finally {
    await call('DELETE', `/api/conversations/${conversationId}`).catch(() => {});
  }
}

function checkHeaders(headers: Headers): Finding {
  const coding = headers.get('content-encoding');
  if (coding)
    return fail('headers', `The proxy compresses answers (${coding}).`, 'Turn compression off for /api/ws/.');
  return headers.get('cache-control')?.includes('no-transform') && headers.get('x-stream-id')
    ? ok('headers', 'They arrive unchanged, without compression.')
    : fail('headers', 'The proxy removes Cache-Control or X-Stream-Id.', COMPARE_REMEDY);
}

interface Arrivals {
  chunks: number;
  /** Number of reads that completed a chunk. */
  arrivals: number;
  /** Milliseconds between the production of the first chunk and of the last. */
  producedMs: number;
  ended: boolean;
}

async function readAnswer(body: ReadableStream<Uint8Array>): Promise<Arrivals> {
  const chunks: Chunk[] = [];
  const decoder = new TextDecoder();
  let arrivals = 0;
  let rest = '';
  for await (const part of body) {
    const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    const data = lines.filter((text) => text.startsWith('data: '));
    if (data.length > 0) arrivals += 1;
    chunks.push(...data.map((line) => JSON.parse(line.slice(6)) as Chunk));
  }
  const [first, last] = [chunks[0], chunks.at(-1)];
  const producedMs = first && last ? Date.parse(last.timestamp) - Date.parse(first.timestamp) : 0;
  return { chunks: chunks.length, arrivals, producedMs, ended: last?.type === 'complete' };
}

function checkPace({ chunks, arrivals, producedMs, ended }: Arrivals): Finding {
  const figures = `${chunks} chunks of ${producedMs} ms in ${arrivals} arrivals`;
  if (!ended) return fail('buffering', 'The answer has no terminal chunk.', COMPARE_REMEDY);
  if (producedMs < MIN_ANSWER_MS) {
    const remedy = 'Set GUIDE_WORDS_PER_SECOND on that server above 0.';
    return warn('buffering', `The answer was too fast to judge (${figures}).`, remedy);
  }
  return arrivals * MAX_CHUNKS_PER_READ >= chunks
    ? ok('buffering', `The answer arrives while it is produced (${figures}).`)
    : fail(
        'buffering',
        `The proxy holds the answer back (${figures}).`,
        `Turn buffering off for /api/ws/. ${COMPARE_REMEDY}`,
      );
}
