import { ERROR_RULES, type ErrorCode, type Problem, type WireError } from '../../src/protocol/index.js';
import { TEST_SECRET } from '../support/server.js';

const LEAKS: readonly RegExp[] = [
  /node_modules|\/dist\/|\/src\/[a-z]+\/|file:\/\//,
  /\n? {2,4}at .{1,80}:\d+:\d+/,
  /\b(?:TypeError|RangeError|SyntaxError|QueryFailedError|ReferenceError|ECONN[A-Z]+)\b/,
  /\b(?:select|insert into|update|delete from) [a-z_]+ (?:from|set|where|\()/i,
  /postgres(?:ql)?:\/\//,
  new RegExp(TEST_SECRET),
];
const CORRELATION_ID = /^[A-Za-z0-9._-]{1,64}$/;
const SHAPE = ['code', 'correlationId', 'details', 'message', 'retryAfterMs', 'retryable'];
/** What the server gives when the fault is its own: bad input must never lead there. */
const OWN_FAULTS: readonly string[] = ['internal', 'timeout'];

/** What `text`, said by the server, gives away of its inside; null where nothing. */
export function leakIn(text: string): string | null {
  const found = LEAKS.map((pattern) => pattern.exec(text)?.[0]).find((match) => match !== undefined);
  return found === undefined
    ? null
    : `the server gave away ${JSON.stringify(found)} in ${text.slice(0, 500)}`;
}

/** What is wrong with an acknowledgement; null where nothing. */
export function faultOfAck(answer: unknown): string | null {
  const said = JSON.stringify(answer);
  const leak = leakIn(said);
  if (leak !== null) return leak;
  const { ok, error } = answer as { ok?: unknown; error?: WireError };
  if (ok === true) return null;
  const known = error !== undefined && ok === false && isKnown(error);
  return known ? null : `no answer of the protocol: ${said.slice(0, 500)}`;
}

function isKnown(error: WireError): boolean {
  const rule = ERROR_RULES[error.code] as (typeof ERROR_RULES)[ErrorCode] | undefined;
  return (
    rule !== undefined &&
    !OWN_FAULTS.includes(error.code) &&
    error.retryable === rule.retryable &&
    /\S/.test(error.message) &&
    CORRELATION_ID.test(error.correlationId) &&
    Object.keys(error).every((key) => SHAPE.includes(key))
  );
}

/** HTTP statuses that Node's own parser gives, by a problem body where it can still be said. */
const OF_THE_PARSER = [400, 408, 413, 417, 431];

/** What is wrong with an HTTP response, or with that there is none; null where nothing. */
export function faultOfResponse(text: string): string | null {
  if (text === '') return null;
  const leak = leakIn(text);
  if (leak !== null) return leak;
  const last = text.replace(/^(?:HTTP\/1\.1 1\d\d .*\r\n(?:.+\r\n)*\r\n)+/, '');
  // Told to go on, it was closed all the same: who asked had said all.
  if (last === '') return null;
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(last)?.[1]);
  const [head = '', body = ''] = last.split('\r\n\r\n', 2);
  if (status >= 200 && status < 400) return null;
  const isProblem = /^content-type: application\/problem\+json/im.test(head);
  const isBodiless = body === '' && /^content-length: [1-9]/im.test(head);
  if (isProblem && (isBodiless || isKnownProblem(body, status))) return null;
  return `no response of the protocol: ${text.slice(0, 600)}`;
}

function isKnownProblem(body: string, status: number): boolean {
  const { code, detail, correlationId, retryable } = JSON.parse(body) as Partial<Problem>;
  const rule = ERROR_RULES[code as ErrorCode] as (typeof ERROR_RULES)[ErrorCode] | undefined;
  return (
    rule !== undefined &&
    (code !== 'timeout' || status === 408) &&
    code !== 'internal' &&
    (rule.httpStatus === status || OF_THE_PARSER.includes(status)) &&
    rule.retryable === retryable &&
    /\S/.test(detail ?? '') &&
    CORRELATION_ID.test(correlationId ?? '')
  );
}
