import { Inject, Injectable } from '@nestjs/common';
import { RateLimiterMemory, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { CONFIG, type Config } from '../config/config.js';
import type { Rate } from '../config/limit-fields.js';
import { POINT } from './event-costs.js';
import { LimitsMetrics, type LimitName } from './limits-metrics.js';
import { Limiter } from './limiter.js';

/** All rate limits. Each key is forgotten when its period ends. */
@Injectable()
export class RateLimits {
  /** Events of one connection, by its id, in parts of a point. */
  readonly connectionEvents: Limiter;
  /** Events of one user over all connections, in parts of a point. */
  readonly userEvents: Limiter;
  /** Answers that one user starts. */
  readonly streams: Limiter;
  readonly userConnects: Limiter;
  readonly addressConnects: Limiter;
  readonly userHttp: Limiter;
  readonly addressHttp: Limiter;
  /** Health probes of one address: other requests from there must not make them fail. */
  readonly addressProbes: Limiter;
  /** Long polling requests of one address, besides the handshakes. */
  readonly addressPolling: Limiter;
  readonly authFailures: Limiter;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly metrics: LimitsMetrics,
  ) {
    const { RATE_LIMIT_CONNECTS: connects, RATE_LIMIT_HTTP: http, RATE_LIMIT_EVENTS } = config;
    const events = { ...RATE_LIMIT_EVENTS, points: RATE_LIMIT_EVENTS.points * POINT };
    this.connectionEvents = this.limiter('connection_events', events);
    this.userEvents = this.limiter('user_events', events);
    this.streams = this.limiter('streams', config.RATE_LIMIT_STREAMS);
    this.userConnects = this.limiter('user_connects', connects.perUser);
    this.addressConnects = this.limiter('address_connects', connects.perAddress);
    this.userHttp = this.limiter('user_http', http.perUser);
    this.addressHttp = this.limiter('address_http', http.perAddress);
    this.addressProbes = this.limiter('address_probes', http.perAddress);
    this.addressPolling = this.limiter('address_polling', http.perAddress);
    this.authFailures = this.limiter('auth_failures', config.RATE_LIMIT_AUTH_FAILURES);
  }

  private limiter(name: LimitName, rate: Rate): Limiter {
    const store = this.config.RATE_LIMIT_ENABLED ? storeOf(name, rate) : null;
    return new Limiter(store, this.metrics.refusalsOf(name));
  }
}

/** Creates the store in which a limit is counted. */
function storeOf(name: LimitName, { points, seconds: duration }: Rate): RateLimiterAbstract {
  return new RateLimiterMemory({ keyPrefix: name, points, duration });
}
