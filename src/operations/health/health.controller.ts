import {
  applyDecorators,
  Catch,
  Controller,
  Get,
  ServiceUnavailableException,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  HealthCheckService,
  type HealthCheckResult,
  type HealthCheckStatus,
} from '@nestjs/terminus';
import type { Response } from 'express';
import { Public } from '../../auth/decorators.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { enumOf, objectSchema, optional, says, type JsonSchema } from '../../protocol/schemas/schema.js';
import { AnswersHealth } from './answers-health.js';
import { DatabaseHealthStore } from './database-health.store.js';
import { GatewayHealth } from './gateway-health.js';
import { ProcessHealth } from './process-health.js';

const PARTS: JsonSchema = {
  type: 'object',
  additionalProperties: {
    type: 'object',
    properties: { status: { enum: ['up', 'down'] }, message: { type: 'string' } },
    required: ['status'],
    additionalProperties: true,
  },
};
const RESULT = objectSchema<HealthCheckResult>({
  status: enumOf<HealthCheckStatus>({ ok: true, error: true, degraded: true, shutting_down: true }),
  info: optional(says(PARTS, 'What is up.')),
  error: optional(says(PARTS, 'What is down, and why.')),
  details: says(PARTS, 'Every part that was checked, with its figures.'),
});

/** Declares a probe and its responses. Terminus' own description uses a keyword of OpenAPI 3.0, which 3.1 does not have. */
function Probe(): MethodDecorator {
  return applyDecorators(
    HealthCheck({ noCache: true, swaggerDocumentation: false }),
    Responds(200, RESULT, { description: 'Nothing is down.' }),
    Responds(503, RESULT, { description: 'Something is down.' }),
  );
}

/** Responds 503 with the result of all checks: a problem body would not say what is down. */
@Catch(ServiceUnavailableException)
class HealthFilter implements ExceptionFilter<ServiceUnavailableException> {
  catch(error: ServiceUnavailableException, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Response>().status(error.getStatus()).json(error.getResponse());
  }
}

@ApiTags('operations')
@Public()
@UseFilters(HealthFilter)
@Controller('ws/health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: DatabaseHealthStore,
    private readonly gateway: GatewayHealth,
    private readonly answers: AnswersHealth,
    private readonly process: ProcessHealth,
  ) {}

  @Get()
  @Probe()
  @ApiOperation({ summary: 'Check every part, with figures' })
  full(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.database.check(),
      () => this.gateway.check(),
      () => this.answers.streams(),
      () => this.answers.provider(),
      () => this.answers.nodes(),
      () => this.process.check(),
    ]);
  }

  @Get('live')
  @Probe()
  @ApiOperation({ summary: 'Liveness: restart the process if this fails' })
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  @Get('ready')
  @Probe()
  @ApiOperation({ summary: 'Readiness: send no requests while this fails' })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.database.check(),
      () => this.gateway.check(),
      () => this.process.check(),
    ]);
  }
}
