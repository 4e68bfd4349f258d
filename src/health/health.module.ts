import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DatabaseHealthStore } from './database-health.store.js';
import { HealthController } from './health.controller.js';

/** Health probes. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [DatabaseHealthStore],
})
export class HealthModule {}
