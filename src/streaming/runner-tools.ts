import { Injectable } from '@nestjs/common';
import { Draining } from '../lifecycle/draining.js';
import { Relay } from '../relay/relay.js';
import { ChunkLogStore } from './chunk-log.store.js';
import { PromptsStore } from './prompts.store.js';
import { StreamControlStore } from './stream-control.store.js';
import { StreamEnder } from './stream-ender.js';
import { StreamMetrics } from './stream-metrics.js';

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
