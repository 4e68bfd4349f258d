import { Injectable } from '@nestjs/common';
import { Draining } from '../../platform/lifecycle/draining.js';
import { Relay } from '../../platform/relay/relay.js';
import { ChunkLogStore } from '../log/chunk-log.store.js';
import { PromptsStore } from './prompts.store.js';
import { StreamControlStore } from '../control/stream-control.store.js';
import { StreamEnder } from './stream-ender.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';

/** What runners work with. */
@Injectable()
export class RunnerTools {
  constructor(
    readonly log: ChunkLogStore,
    readonly states: StreamControlStore,
    readonly prompts: PromptsStore,
    readonly ender: StreamEnder,
    readonly relay: Relay,
    readonly metrics: StreamMetrics,
    readonly draining: Draining,
  ) {}
}
