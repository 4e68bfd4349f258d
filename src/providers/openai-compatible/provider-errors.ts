import {
  APICallError,
  InvalidResponseDataError,
  JSONParseError,
  TypeValidationError,
} from '@ai-sdk/provider';
import { DomainError } from '../../common/domain-error.js';
import { cleanText } from '../../protocol/index.js';

const MAX_QUOTE_CHARS = 200;
const SECRETS = /\bBearer\s+\S+|\b(?:sk|pk|key|token)-[\w*.-]{4,}/gi;

/** What {@link toProviderError} must know besides the error. */
export interface ErrorContext {
  /** The provider's key, so that no error repeats it. */
  apiKey: string | undefined;
  /** Milliseconds since 1970, to read a `Retry-After` date. */
  now: number;
}

/**
 * `error` of the client library as the port's error. Its message is safe to show: of what the provider said it
 * quotes at most one short line, without keys. Its cause, for the log, holds neither prompt nor response (P11).
 */
export function toProviderError(error: unknown, context: ErrorContext): DomainError {
  const ours = findDomainError(error);
  if (ours) return ours;
  const cause = { cause: new Error(quote(describe(error), context.apiKey)) };
  if (APICallError.isInstance(error)) return callError(error, context, cause);
  if (InvalidResponseDataError.isInstance(error)) {
    return new DomainError('provider_error', "The provider's answer ended before it was complete.", cause);
  }
  if (JSONParseError.isInstance(error) || TypeValidationError.isInstance(error)) {
    return new DomainError(
      'provider_error',
      'The provider sent something that is no chat completion.',
      cause,
    );
  }
  const said = messageOf(error);
  if (said === undefined) return new DomainError('provider_error', 'The provider failed.', cause);
  return new DomainError('provider_error', `The provider failed: ${quote(said, context.apiKey)}`, cause);
}

function callError(error: APICallError, context: ErrorContext, cause: { cause: Error }): DomainError {
  const { statusCode } = error;
  if (statusCode === undefined) {
    return new DomainError('provider_unavailable', 'The provider cannot be reached.', cause);
  }
  if (statusCode < 300) {
    return new DomainError('provider_error', 'The connection to the provider broke in mid-answer.', cause);
  }
  const wait = retryAfterMs(error.responseHeaders?.['retry-after'], context.now);
  const options = { ...cause, ...(wait !== undefined && { retryAfterMs: wait }) };
  if (statusCode === 429) {
    return new DomainError(
      'provider_unavailable',
      'The provider takes no more requests for now (HTTP 429).',
      options,
    );
  }
  if (statusCode >= 500) {
    return new DomainError('provider_unavailable', `The provider failed (HTTP ${statusCode}).`, options);
  }
  if (statusCode === 401 || statusCode === 403) {
    const message = `The provider did not accept this server's key (HTTP ${statusCode}).`;
    return new DomainError('provider_error', message, { ...cause, retryable: false });
  }
  const said = quote(error.message, context.apiKey);
  const message = `The provider refused the request (HTTP ${statusCode})${said ? `: ${said}` : '.'}`;
  return new DomainError('provider_error', message, { ...cause, retryable: false });
}

/** Milliseconds of a `Retry-After` header, seconds or HTTP date (RFC 9110, 10.2.3); undefined where it says nothing. */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** `text` as one short line without control characters, keys or tokens. */
function quote(text: string, apiKey: string | undefined): string {
  const withoutKey = apiKey ? text.replaceAll(apiKey, '[key]') : text;
  const line = cleanText(withoutKey).replace(SECRETS, '[key]').replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length > MAX_QUOTE_CHARS ? `${characters.slice(0, MAX_QUOTE_CHARS).join('')} …` : line;
}

function findDomainError(error: unknown): DomainError | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof DomainError) return current;
  }
  return undefined;
}

/** For the log: kinds and codes along the chain of causes, no bodies. */
function describe(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current instanceof Error && parts.length < 4; current = current.cause) {
    const code = 'code' in current && typeof current.code === 'string' ? ` (${current.code})` : '';
    // Validation errors repeat what was received, which may be an answer's text.
    const repeats = TypeValidationError.isInstance(current) || JSONParseError.isInstance(current);
    parts.push(`${current.name}${code}${repeats ? '' : `: ${current.message}`}`);
  }
  return parts.join(' < ') || 'no error object';
}

function messageOf(error: unknown): string | undefined {
  if (typeof error === 'string') return error;
  if (typeof error !== 'object' || error === null || !('message' in error)) return undefined;
  return typeof error.message === 'string' ? error.message : undefined;
}
