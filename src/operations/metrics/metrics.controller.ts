import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { challenge } from '../../auth/auth.guard.js';
import { Authenticator } from '../../auth/authenticator.js';
import { bearerToken, carriesToken } from '../../platform/http/bearer.js';
import { authorize } from '../../auth/policy.js';
import { Public } from '../../auth/decorators.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { notFound } from '../../common/domain-error.js';
import { TEXT } from '../../protocol/schemas/schema.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { HttpLimits } from '../../platform/limits/http-limits.js';
import { MetricsPage } from './metrics-page.js';

/** Path of the page: Prometheus expects it outside `/api`. */
export const METRICS_PATH = 'metrics';

/** Serves the metrics page on the main port, unless `METRICS_PORT` is set. */
@ApiTags('operations')
@ApiBearerAuth()
// Not public: METRICS_TOKEN is not a user's token, so this route checks it itself.
@Public()
@Controller(METRICS_PATH)
export class MetricsController {
  constructor(
    private readonly page: MetricsPage,
    private readonly authenticator: Authenticator,
    private readonly limits: HttpLimits,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Get the metrics for Prometheus; with an admin token or METRICS_TOKEN' })
  @Responds(200, TEXT, { as: 'text/plain' })
  async read(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<string> {
    const { METRICS_PORT, METRICS_TOKEN } = this.config;
    if (METRICS_PORT !== undefined) throw notFound();
    const { authorization } = request.headers;
    const isScraper = METRICS_TOKEN !== undefined && carriesToken(authorization, METRICS_TOKEN);
    if (!isScraper) await this.admit(request, response);
    response.type(this.page.contentType);
    return this.page.text();
  }

  private async admit(request: Request, response: Response): Promise<void> {
    const token = bearerToken(request.headers.authorization);
    try {
      const principal = await this.limits.attempt(request, () => this.authenticator.authenticate(token));
      authorize(principal, 'figures:see');
    } catch (error) {
      challenge(response, error, token !== undefined);
      throw error;
    }
  }
}
