import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { guardListener } from '../../platform/http/listener-guard.js';
import { MetricsPage } from './metrics-page.js';
import { carriesToken } from '../../platform/http/bearer.js';

/**
 * Serves the metrics on a port of their own, `METRICS_PORT`. It is open to everybody who reaches that port unless
 * `METRICS_TOKEN` is set, and responds as long as the process lives, also during shutdown.
 */
@Injectable()
export class MetricsListener implements OnApplicationBootstrap, OnApplicationShutdown {
  private server: Server | undefined;

  constructor(
    private readonly page: MetricsPage,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** URL of the metrics; undefined without `METRICS_PORT`. */
  get url(): string | undefined {
    if (!this.server) return undefined;
    const { address, port, family } = this.server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`;
  }

  async onApplicationBootstrap(): Promise<void> {
    const { METRICS_PORT, HOST } = this.config;
    if (METRICS_PORT === undefined) return;
    this.server = createServer((request, response) => void this.respond(request, response));
    guardListener(this.server);
    this.server.listen(METRICS_PORT, HOST);
    try {
      await once(this.server, 'listening');
    } catch (error) {
      throw new Error(metricsPortFault(METRICS_PORT, error as Error), { cause: error });
    }
  }

  async onApplicationShutdown(): Promise<void> {
    if (!this.server?.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { METRICS_TOKEN } = this.config;
    if (request.url?.split('?')[0] !== '/metrics') return end(response, 404, 'The metrics are at /metrics.');
    if (request.method !== 'GET') return end(response, 405, 'Use GET.');
    if (METRICS_TOKEN !== undefined && !carriesToken(request.headers.authorization, METRICS_TOKEN)) {
      response.setHeader('WWW-Authenticate', 'Bearer');
      return end(response, 401, 'Send METRICS_TOKEN as Bearer.');
    }
    try {
      const text = await this.page.text();
      response
        .setHeader('Content-Type', this.page.contentType)
        .setHeader('Cache-Control', 'no-store')
        .end(text);
    } catch {
      end(response, 500, 'The metrics could not be read.');
    }
  }
}

/** Returns the message for a `METRICS_PORT` that cannot be used. */
export function metricsPortFault(port: number, { message }: Error): string {
  return `METRICS_PORT ${port} cannot be used: ${message}. Choose another, or leave it unset.`;
}

function end(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}
