import { Logger } from '@nestjs/common';
import { contextOf } from '../http/request-context.middleware.js';
import type { NextFunction, Request, Response } from 'express';

const logger = new Logger('Http');

/** A line for each request when it has ended: `warn` from status 500 on, else `debug`. Never its query, where tickets are. */
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
    logger[status >= 500 ? 'warn' : 'debug'](`${method} ${path} ${status}`, fields);
  });
  next();
}
