import { Global, Module } from '@nestjs/common';
import { AuthFailures } from './auth-failures.js';
import { ClientAddresses } from './client-addresses.js';
import { HttpLimits } from './http-limits.js';
import { LimitsMetrics } from './limits-metrics.js';
import { RateLimits } from './rate-limits.js';

/** Rate limits and client addresses. It does not depend on sockets. */
@Global()
@Module({
  providers: [LimitsMetrics, RateLimits, ClientAddresses, AuthFailures, HttpLimits],
  exports: [LimitsMetrics, RateLimits, ClientAddresses, AuthFailures, HttpLimits],
})
export class LimitsModule {}
