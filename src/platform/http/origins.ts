import { Logger } from '@nestjs/common';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { DomainError } from '../../common/domain-error.js';

const MAX_SHOWN_CHARS = 200;
/** Refused pages that get a warning of their own: the log must not grow by what clients make up. */
const MAX_WARNINGS = 100;

/**
 * Returns a check of whether a browser's page may connect: null, or the refusal. Browsers open a WebSocket to another
 * site without asking, but send the page's origin (RFC 6455, 10.2). For a GET whose response the page may not read,
 * they send only whether its origin differs (`Sec-Fetch-Site`). A client that sends neither is not a browser. A page
 * belongs to this site if its host and port equal the requested ones (`Host`), or if `allowed` contains its origin.
 */
export function originCheck(allowed: readonly string[]) {
  const warn = warnings();
  return (request: IncomingMessage): DomainError | null => {
    const { headers } = request;
    const { origin, host } = headers;
    const isOwn = origin === undefined ? !isForeign(headers) : isSameHost(origin, host);
    if (isOwn || (origin !== undefined && allowed.includes(origin))) return null;
    const seen = { origin: shown(origin), host: shown(host), proto: protoOf(request) };
    warn(seen);
    return new DomainError('forbidden', refusalOf(seen));
  };
}

interface Seen {
  readonly origin: string | undefined;
  readonly host: string | undefined;
  /** What the client used by the word of the proxy, or the connection's own. */
  readonly proto: string;
}

function refusalOf({ origin, host, proto }: Seen): string {
  const page = origin === undefined ? 'this page' : `pages of ${origin}`;
  const asked = host === undefined ? 'without a Host' : `with Host ${host}`;
  return (
    `Refused origin: the server does not take ${page} for its own. The request came ${asked}, over ${proto}. ` +
    'A proxy must pass Host on as the browser sent it, with its port (nginx: proxy_set_header Host $http_host;). ' +
    'For pages of another site, name their origin in CORS_ORIGINS.'
  );
}

/** Warns once of each page that is refused. */
function warnings(): (seen: Seen) => void {
  const logger = new Logger('Origins');
  const known = new Set<string>();
  return (seen) => {
    const key = `${seen.origin} ${seen.host}`;
    if (known.has(key) || known.size >= MAX_WARNINGS) return;
    known.add(key);
    logger.warn(
      'refused pages of an origin: name it in CORS_ORIGINS, or let the proxy pass Host on with its port',
      seen,
    );
  };
}

function isForeign({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site === 'cross-site' || site === 'same-site';
}

/** Whether both name the same host and port. The default port of the origin's scheme may be written or not. */
function isSameHost(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  const asked = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(asked) && new URL(asked).host === page.host;
}

function protoOf({ headers, socket }: IncomingMessage): string {
  const forwarded = headers['x-forwarded-proto'];
  if (forwarded !== undefined) return shown(String(forwarded)) as string;
  return (socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http';
}

function shown(text: string | undefined): string | undefined {
  return text?.slice(0, MAX_SHOWN_CHARS);
}
