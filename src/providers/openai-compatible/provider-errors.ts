import { DomainError } from '../../common/domain-error.js';
import { cleanText } from '../../protocol/index.js';

const MAX_QUOTE_CHARS = 200;
const SECRETS = /\bBearer\s+\S+|\b(?:sk|pk|key|token)-[\w*.-]{4,}/gi;

/** A response with an error status. */
export interface Refusal {
  status: number;
  /** Its `Retry-After`, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** Its body, or the first part of it. */
  body: string;
}

// Every message is safe to show: it quotes at most one short line of what a provider said, without keys. Every cause is
// safe to log: it holds nothing that a provider said, which may be the prompt or the answer (P11).

/** The error for a connection that failed, or broke before the headers came. */
export function unreachable(error: unknown, apiKey: string | undefined): DomainError {
  return new DomainError('provider_unavailable', 'The provider cannot be reached.', causeOf(error, apiKey));
}

/** The error for a connection that broke within the answer. */
export function broken(error: unknown, apiKey: string | undefined): DomainError {
  const message = 'The connection to the provider broke in the middle of the answer.';
  return new DomainError('provider_error', message, causeOf(error, apiKey));
}

/** The error for a response that ended before its answer did. */
export function incomplete(): DomainError {
  return new DomainError('provider_error', "The provider's answer ended before it was complete.");
}

/** The error for a response that is something else: a page, broken JSON, another API. */
export function noCompletion(): DomainError {
  return new DomainError('provider_error', 'The provider sent something that is not a chat completion.');
}

/** The error for an event that is larger than may be kept in memory. */
export function tooLarge(): DomainError {
  return new DomainError('provider_error', 'The provider sent an event that is too large.');
}

/** The error for a failure that a provider reports within its answer: an object, its JSON, or a sentence. */
export function reportedFailure(said: unknown, apiKey: string | undefined): DomainError {
  const value = typeof said === 'string' ? (parsed(said) ?? said) : said;
  const status = isObject(value) ? value['code'] : undefined;
  if (typeof status === 'number' && status >= 400 && status <= 599) {
    return refused({ status, body: JSON.stringify(value) }, apiKey);
  }
  const sentence = sentenceOf(value);
  if (sentence === undefined) return new DomainError('provider_error', 'The provider failed.');
  return new DomainError('provider_error', `The provider failed: ${quote(sentence, apiKey)}`, {
    cause: new Error('the provider reported a failure within its answer'),
  });
}

/** The error for a response with a status other than 2xx. */
export function refused({ status, body, retryAfterMs }: Refusal, apiKey: string | undefined): DomainError {
  const sentence = sentenceOf(parsed(body));
  const said = sentence === undefined ? '' : quote(sentence, apiKey);
  const cause = new Error(`HTTP ${status}`);
  const options = { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  const fault = `(HTTP ${status})`;
  if (status === 429) {
    return new DomainError(
      'provider_unavailable',
      `The provider takes no more requests for now ${fault}.`,
      options,
    );
  }
  if (status === 408 || status === 504) {
    return new DomainError('provider_timeout', `The provider took too long ${fault}.`, options);
  }
  if (status >= 500) return new DomainError('provider_unavailable', `The provider failed ${fault}.`, options);
  const never = { cause, retryable: false };
  if (status === 401 || status === 403) {
    return new DomainError(
      'provider_error',
      `The provider did not accept this server's key ${fault}.`,
      never,
    );
  }
  if (status < 400) {
    return new DomainError(
      'provider_error',
      `The provider sent a redirect ${fault}. Correct LLM_BASE_URL.`,
      never,
    );
  }
  const message = `The provider refused the request ${fault}${said === '' ? '.' : `: ${said}`}`;
  return new DomainError('provider_error', message, never);
}

/** Parses a `Retry-After` header, seconds or an HTTP date (RFC 9110, 10.2.3), to milliseconds; undefined where it has neither. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Whether `value` is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Finds the sentence in a provider's error, wherever that kind of server puts it. */
function sentenceOf(said: unknown): string | undefined {
  if (typeof said === 'string') return said === '' ? undefined : said;
  if (!isObject(said)) return undefined;
  return sentenceOf(said['error']) ?? sentenceOf(said['message']) ?? sentenceOf(said['detail']);
}

/** Shortens `text` to one line without control characters, keys or tokens. */
function quote(text: string, apiKey: string | undefined): string {
  const withoutKey = apiKey ? text.replaceAll(apiKey, '[key]') : text;
  const line = cleanText(withoutKey).replace(SECRETS, '[key]').replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length > MAX_QUOTE_CHARS ? `${characters.slice(0, MAX_QUOTE_CHARS).join('')} …` : line;
}

/** Joins names, codes and messages along the chain of causes. */
function causeOf(error: unknown, apiKey: string | undefined): { cause: Error } {
  const parts: string[] = [];
  for (let current = error; current instanceof Error && parts.length < 4; current = current.cause) {
    const code = 'code' in current && typeof current.code === 'string' ? ` (${current.code})` : '';
    parts.push(`${current.name}${code}: ${current.message}`);
  }
  return { cause: new Error(quote(parts.join(' < ') || 'no error object', apiKey)) };
}
