import { Injectable } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';

/** What became of a batch of the queue: a client without `acks` is taken at its socket's word. */
export type DeliveryOutcome = 'acked' | 'timeout' | 'taken' | 'gone';

/** What is offered to clients from the queue. */
@Injectable()
export class QueueDeliveryMetrics {
  private readonly items: Counter<'outcome'>;
  private awaited = 0;

  constructor(registry: MetricsRegistry) {
    this.items = registry.counter(
      'streamgate_queue_offered_items_total',
      'Deliveries that were offered to a connection, each time once.',
      ['outcome'],
    );
    registry.gauge('streamgate_queue_acks_awaited', 'Batches of the queue whose ack is awaited.', {
      collect: (gauge) => gauge.set(this.awaited),
    });
  }

  /** Counts `items` by what `offer` resolves with. @returns whether the client has them. */
  async count(items: number, offer: Promise<DeliveryOutcome>): Promise<boolean> {
    this.awaited += 1;
    const outcome = await offer.finally(() => {
      this.awaited -= 1;
    });
    this.items.inc({ outcome }, items);
    return outcome === 'acked' || outcome === 'taken';
  }
}
