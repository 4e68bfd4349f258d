import helmet from 'helmet';
import type { IncomingMessage, ServerResponse } from 'node:http';

type Policy = Record<string, string[]>;
type Next = (error?: unknown) => void;

/** Swagger UI only: its page has inline styles, and images as `data:`. */
const DOCS_PATH = /^\/api\/docs(?:[/?]|$)/;
const API_PATH = /^\/(?:api|metrics)(?:[/?]|$)/;

const NONE = ["'none'"];
const SELF = ["'self'"];

/** Responses of the API are data: a browser that shows one as a page may do nothing with it. */
const DATA: Policy = { 'default-src': NONE, 'base-uri': NONE, 'form-action': NONE, 'frame-ancestors': NONE };

/**
 * Only what this server itself serves, without inline scripts or styles. `connect-src 'self'` allows http and ws, or
 * https and wss, of this origin (CSP 3, 6.7.2.8).
 */
const PAGE: Policy = {
  ...DATA,
  'script-src': SELF,
  'style-src': SELF,
  'img-src': SELF,
  'font-src': SELF,
  'connect-src': SELF,
  'manifest-src': SELF,
  'form-action': SELF,
  'object-src': NONE,
};

const DOCS: Policy = {
  ...PAGE,
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
};

/**
 * Express and engine.io middleware: sets the security headers for browsers. HSTS is set only if this process does TLS
 * itself; a proxy knows better whether its whole host is HTTPS.
 */
export function securityHeaders({ tls }: { tls: boolean }) {
  const [data, page, docs] = [DATA, PAGE, DOCS].map((policy) => headersWith(policy, tls)) as [
    Middleware,
    Middleware,
    Middleware,
  ];
  return (request: IncomingMessage, response: ServerResponse, next: Next): void => {
    const url = request.url ?? '';
    const isDocs = DOCS_PATH.test(url);
    const isData = !isDocs && API_PATH.test(url);
    // Responses of the API depend on the token, or have one (RFC 6750, 5.3). A route that may be kept says so itself.
    if (isData) response.setHeader('Cache-Control', 'no-store');
    const headers = isDocs ? docs : isData ? data : page;
    headers(request, response, next);
  };
}

type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

function headersWith(directives: Policy, tls: boolean): Middleware {
  return helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    xFrameOptions: { action: 'deny' },
    strictTransportSecurity: tls && { maxAge: 180 * 24 * 3600, includeSubDomains: false },
  });
}
