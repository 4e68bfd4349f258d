import { Logger } from '@nestjs/common';
import { contextOf } from '../http/request-context.middleware.js';
import type { NextFunction, Request, Response } from 'express';

const logger = new Logger('Http');

/** Logs each request when it has ended: `warn` for status 500 and above, else `debug`. Never its query, which may hold a ticket. */
export function accessLog(request: Request, response: Response, next: NextFunction): void {
  const began = performance.now();
  const { method, path } = request;
  response.once('close', () => {
    const { statusCode: status, writableFinished } = response;
    const durationMs = Math.round(performance.now() - began);
    const correlationId = contextOf(response).id;
    const fields = {
      correlationId,
      method,
      path,
      status,
      durationMs,
      ...(!writableFinished && { cut: true }),
    };
    logger[status >= 500 ? 'warn' : 'debug']('request ended', fields);
  });
  next();
}
