import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { DomainError } from '../../common/domain-error.js';

/**
 * Whether a browser's page may connect: null, or the refusal. Browsers ask nobody before they open a WebSocket to another
 * site, and say where the page is from (RFC 6455, 10.2); of a GET whose answer the page may not read they say only whether
 * it is of another origin (`Sec-Fetch-Site`). Who sends neither is no browser. A page is of this site where its host and
 * port are those that it asked for (`Host`), or `allowed` names it.
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
