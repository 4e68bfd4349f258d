import type { NextFunction, Request, Response } from 'express';
import { invalid } from '../validation/payload.js';

/** Express middleware: refuses a body with another content type than JSON, which would otherwise count as no body. */
export function jsonOnly(request: Request, _response: Response, next: NextFunction): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  const hasBody = encoding !== undefined || length !== '0';
  if (!hasBody || request.is('json') !== false) return next();
  next(invalid(['the body must be JSON, with Content-Type: application/json']));
}
