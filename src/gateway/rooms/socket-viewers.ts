import { Injectable } from '@nestjs/common';
import { StreamMetrics } from '../../streaming/metrics/stream-metrics.js';
import { Connections } from '../connections/connections.js';

/** Counts the sockets that hear answers, once for each conversation that they joined, when somebody asks. */
@Injectable()
export class SocketViewers {
  constructor(connections: Connections, metrics: StreamMetrics) {
    metrics.countViewers('websocket', () => {
      let count = 0;
      for (const { joined } of connections.all()) count += joined.size;
      return count;
    });
  }
}
