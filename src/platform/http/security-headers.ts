import helmet from 'helmet';
import type { IncomingMessage, ServerResponse } from 'node:http';

type Policy = Record<string, string[]>;
type Next = (error?: unknown) => void;

/** Swagger UI, and nothing beside it: its page has styles within the markup, and pictures as `data:`. */
const DOCS_PATH = /^\/api\/docs(?:[/?]|$)/;
const API_PATH = /^\/(?:api|metrics)(?:[/?]|$)/;

const NONE = ["'none'"];
const SELF = ["'self'"];

/** Answers of the API are data: a browser that takes one for a page may do nothing with it. */
const DATA: Policy = { 'default-src': NONE, 'base-uri': NONE, 'form-action': NONE, 'frame-ancestors': NONE };

/**
 * Nothing but what this server serves itself, and no scripts or styles within the markup. `connect-src 'self'` is this
 * origin's http and ws, or https and wss (CSP 3, 6.7.2.8).
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
 * Express and engine.io middleware: the headers that tell a browser what an answer may do. HSTS only where this process
 * does TLS itself: behind a proxy it is the proxy that knows whether all of its host is HTTPS.
 */
export function securityHeaders({ tls }: { tls: boolean }) {
  const [data, page, docs] = [DATA, PAGE, DOCS].map((policy) => headersWith(policy, tls)) as [
    Middleware,
    Middleware,
    Middleware,
  ];
  return (request: IncomingMessage, response: ServerResponse, next: Next): void => {
    const url = request.url ?? '';
    const headers = DOCS_PATH.test(url) ? docs : API_PATH.test(url) ? data : page;
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
