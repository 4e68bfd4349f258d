import { IsString } from 'class-validator';
import type { RefreshPayload } from '../protocol/index.js';

/** Payload of `auth:refresh`. */
export class RefreshDto implements RefreshPayload {
  @IsString()
  token: string;
}
