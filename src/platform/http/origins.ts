import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { DomainError } from '../../common/domain-error.js';

/**
 * Returns a check of whether a browser's page may connect: null, or the refusal. Browsers open a WebSocket to another
 * site without asking, but send the page's origin (RFC 6455, 10.2). For a GET whose response the page may not read,
 * they send only whether its origin differs (`Sec-Fetch-Site`). A client that sends neither is not a browser. A page
 * belongs to this site if its host and port equal the requested ones (`Host`), or if `allowed` contains its origin.
 */
export function originCheck(allowed: readonly string[]) {
  return ({ headers }: IncomingMessage): DomainError | null => {
    const { origin, host } = headers;
    const isOwn = origin === undefined ? !isForeign(headers) : hostOf(origin) === host?.toLowerCase();
    if (isOwn || (origin !== undefined && allowed.includes(origin))) return null;
    return new DomainError(
      'forbidden',
      'Pages of this origin may not connect: CORS_ORIGINS does not name it.',
    );
  };
}

function isForeign({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site === 'cross-site' || site === 'same-site';
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
