import { Injectable } from '@nestjs/common';
import type { ControlResult, RecoverResult } from '../../protocol/index.js';
import { StreamControls } from '../../streaming/control/stream-controls.js';
import { RecoverDto, StreamDto } from '../../streaming/streaming.dto.js';
import { RecoveryService } from '../../streaming/viewers/recovery.service.js';
import type { Connection } from '../connections/connection.js';
import { OnClientEvent } from './event-handlers.js';

/** The client's events about answers (protocol section 4.2). */
@Injectable()
export class StreamGateway {
  constructor(
    private readonly controls: StreamControls,
    private readonly recovery: RecoveryService,
  ) {}

  @OnClientEvent('stream:pause', StreamDto)
  pause({ streamId }: StreamDto, { principal }: Connection): Promise<ControlResult> {
    return this.controls.pause(principal, streamId);
  }

  @OnClientEvent('stream:resume', StreamDto)
  resume({ streamId }: StreamDto, { principal }: Connection): Promise<ControlResult> {
    return this.controls.resume(principal, streamId);
  }

  @OnClientEvent('stream:cancel', StreamDto)
  cancel({ streamId }: StreamDto, { principal }: Connection): Promise<ControlResult> {
    return this.controls.cancel(principal, streamId);
  }

  @OnClientEvent('stream:recover', RecoverDto)
  recover(payload: RecoverDto, { principal }: Connection): Promise<RecoverResult> {
    return this.recovery.recover(principal, payload);
  }
}
