import { DomainError } from '../../common/domain-error.js';
import { sentenceIn, sentenceOf } from './error-sentence.js';
import { first, isObject, parsed } from './json.js';
import type { Redactor } from './redactor.js';

/** A response with an error status. */
export interface Refusal {
  status: number;
  /** How long the server asks to wait, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** Its body, or the first part of it. */
  body: string;
  /** A likely cause, for the operator. */
  hint?: string | undefined;
  /** Where a redirect leads. */
  location?: string | undefined;
}

/** Words that servers use for a status, in `code`, `type` or `status` of an error, in lower case with underscores. */
const STATUS_OF_WORDS: Record<number, string> = {
  400: 'invalid_request_error invalid_request invalid_argument bad_request badrequesterror context_length_exceeded content_policy_violation',
  401: 'invalid_api_key authentication_error unauthenticated',
  402: 'insufficient_quota insufficient_balance billing_not_active',
  403: 'permission_denied permission_error unsupported_country_region_territory forbidden',
  404: 'model_not_found not_found not_found_error',
  429: 'rate_limit_exceeded rate_limit_error rate_limited resource_exhausted too_many_requests',
  503: 'overloaded_error overloaded unavailable service_unavailable',
  504: 'deadline_exceeded',
};
const STATUSES = new Map(
  Object.entries(STATUS_OF_WORDS).flatMap(([status, words]) =>
    words.split(' ').map((word) => [word, Number(status)] as const),
  ),
);
const QUOTA = 402;

/** The error for a response that ended before its answer did. */
export function incomplete(): DomainError {
  return new DomainError('provider_error', "The provider's answer ended before it was complete.");
}

/** The error for a page for people, such as a sign-in or the start page of a web server. */
export function webPage(): DomainError {
  const message = 'The provider sent a web page instead of a chat completion: correct LLM_BASE_URL.';
  return new DomainError('provider_error', message);
}

/** The error for an event that is larger than may be kept in memory. */
export function tooLarge(): DomainError {
  return new DomainError('provider_error', 'The provider sent an event that is too large.');
}

/**
 * Makes errors of what a provider says about its failures. A message is safe to show: it has at most one short line of the
 * provider's, without keys. A cause is safe to log: that line is without the words of the prompt (P11).
 */
export class FailureReports {
  /** @param quotesAll whether every message has the provider's line; otherwise only those for faults of the request */
  constructor(
    private readonly redactor: Redactor,
    private readonly quotesAll: boolean,
  ) {}

  /** The error for a connection that failed, or broke before the headers came. */
  unreachable(error: unknown): DomainError {
    return new DomainError('provider_unavailable', 'The provider cannot be reached.', this.causeOf(error));
  }

  /** The error for a connection that broke within the answer. */
  broken(error: unknown): DomainError {
    const message = 'The connection to the provider broke in the middle of the answer.';
    return new DomainError('provider_error', message, this.causeOf(error));
  }

  /** The error for a response that is something else, and begins with `said`: another API, broken JSON, nothing. */
  noCompletion(said: string): DomainError {
    if (said.trim() === '') {
      const message = 'The provider sent an empty response: check LLM_BASE_URL, and the log of the provider.';
      return new DomainError('provider_error', message);
    }
    const quoted = this.quotesAll ? ` It sent: ${this.redactor.forUsers(said)}` : '';
    // Enough to recognize another API by; more could be words of an answer.
    const beginning = said.includes('"choices"')
      ? 'a broken chunk'
      : this.redactor.forLog(said.slice(0, 100));
    return new DomainError(
      'provider_error',
      `The provider sent something that is not a chat completion: check LLM_BASE_URL.${quoted}`,
      { cause: new Error(`the provider sent: ${beginning}`) },
    );
  }

  /** The error for a failure that a provider reports within its answer: an object, an array of them, JSON, or a sentence. */
  reported(said: unknown): DomainError {
    const value = first(typeof said === 'string' ? (parsed(said) ?? said) : said);
    const error = isObject(value) && isObject(value['error']) ? value['error'] : value;
    const status = statusOf(error);
    if (status !== undefined) return this.refused({ status, body: JSON.stringify(value) });
    const sentence = sentenceOf(value);
    if (sentence === undefined) return new DomainError('provider_error', 'The provider failed.');
    const cause = new Error(`the provider reported a failure: ${this.redactor.forLog(sentence)}`);
    return new DomainError('provider_error', `The provider failed: ${this.redactor.forUsers(sentence)}`, {
      cause,
    });
  }

  /** The error for a response with a status other than 2xx. */
  refused({ status, body, retryAfterMs, hint, location }: Refusal): DomainError {
    const value = first(parsed(body));
    const sentence = value === undefined ? sentenceIn(body) : sentenceOf(value);
    const logged = sentence === undefined ? '' : `: ${this.redactor.forLog(sentence)}`;
    const kind = kindOf(status === 429 && wordStatus(value) === QUOTA ? QUOTA : status);
    const end =
      (kind.isQuoted || this.quotesAll) && sentence !== undefined
        ? this.redactor.forUsers(sentence)
        : kind.hint;
    const parts = [end, hint].filter((part) => part !== undefined && part !== '').join(' ');
    return new DomainError(kind.code, `${kind.what} (HTTP ${status})${parts === '' ? '.' : `: ${parts}`}`, {
      cause: new Error(
        `HTTP ${status}${location === undefined ? '' : ` to ${this.withoutQuery(location)}`}${logged}`,
      ),
      ...(!kind.isPassing && { retryable: false }),
      ...(kind.isPassing && retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  /** A query may have a key. */
  private withoutQuery(url: string): string {
    return this.redactor.forLog(url.replace(/[?#].*$/, ''));
  }

  /** Joins names, codes and messages along the chain of causes. */
  private causeOf(error: unknown): { cause: Error } {
    const parts: string[] = [];
    for (let current = error; current instanceof Error && parts.length < 4; current = current.cause) {
      const code = 'code' in current && typeof current.code === 'string' ? ` (${current.code})` : '';
      parts.push(`${current.name}${code}: ${current.message}`);
    }
    return { cause: new Error(this.redactor.forLog(parts.join(' < ') || 'no error object')) };
  }
}

/** What an error status means. */
interface Kind {
  code: 'provider_error' | 'provider_unavailable' | 'provider_timeout';
  what: string;
  /** What to say where the provider says nothing, or its words are not shown. */
  hint?: string;
  /** Whether the same request may succeed later. */
  isPassing: boolean;
  /** Whether the provider's words concern the request, and so the user. */
  isQuoted: boolean;
}

function kindOf(status: number): Kind {
  const passing = { isPassing: true, isQuoted: false };
  const lasting = { code: 'provider_error', isPassing: false, isQuoted: true } as const;
  if (status === 429) {
    return { ...passing, code: 'provider_unavailable', what: 'The provider takes no more requests for now' };
  }
  if (status === 408 || status === 504) {
    return { ...passing, code: 'provider_timeout', what: 'The provider took too long' };
  }
  if (status >= 500) return { ...passing, code: 'provider_unavailable', what: 'The provider failed' };
  if (status === 401) {
    return { ...lasting, isQuoted: false, what: "The provider did not accept this server's key" };
  }
  if (status === 403) {
    const hint = 'its key, region or moderation may be the cause.';
    return { ...lasting, what: 'The provider does not allow this request', hint };
  }
  if (status < 400) {
    return { ...lasting, what: 'The provider sent a redirect', hint: 'correct LLM_BASE_URL.' };
  }
  return { ...lasting, what: 'The provider refused the request' };
}

/**
 * Parses how long a server asks to wait, to milliseconds: `retry-after-ms`, else `Retry-After`, which has seconds or an HTTP
 * date (RFC 9110, 10.2.3); undefined where it says nothing. Servers send fractions in both.
 */
export function retryAfterMs(
  headers: { ms?: string | undefined; seconds?: string | undefined },
  now: number,
): number | undefined {
  const { ms = '', seconds = '' } = headers;
  if (isNumber(ms)) return Math.ceil(Number(ms));
  if (isNumber(seconds)) return Math.ceil(Number(seconds) * 1000);
  // Date.parse reads almost any number as a year.
  const date = /[a-z]/i.test(seconds) ? Date.parse(seconds) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function isNumber(text: string): boolean {
  return /^\s*\d{1,9}(\.\d*)?\s*$/.test(text);
}

/** Returns the HTTP status that an error names, as a number, its digits or a word. */
function statusOf(error: unknown): number | undefined {
  if (!isObject(error)) return undefined;
  const { code, status, status_code: statusCode } = error;
  const numbers = [code, status, statusCode].map((value) =>
    typeof value === 'number' || (typeof value === 'string' && /^\d{3}$/.test(value)) ? Number(value) : 0,
  );
  return numbers.find((value) => value >= 400 && value <= 599) ?? wordStatus(error);
}

/** Returns the HTTP status for an error's word, such as `rate_limit_exceeded`. */
function wordStatus(value: unknown): number | undefined {
  const error = isObject(value) && isObject(value['error']) ? value['error'] : value;
  if (!isObject(error)) return undefined;
  return [error['code'], error['type'], error['status']]
    .map((word) =>
      typeof word === 'string' ? STATUSES.get(word.toLowerCase().replaceAll('-', '_')) : undefined,
    )
    .find((status) => status !== undefined);
}
