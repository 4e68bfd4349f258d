import { ApiProperty } from '@nestjs/swagger';
import { IsUUID } from 'class-validator';
import type { Ticket } from './ticket.service.js';

/** Body of `POST /api/auth/ticket`. */
export class TicketRequestDto {
  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  streamId: string;
}

/** Answer of `POST /api/auth/ticket`. */
export class TicketDto implements Ticket {
  @ApiProperty({ description: "For `?ticket=` on this stream's two attach routes." })
  ticket: string;

  @ApiProperty({ format: 'date-time' })
  expiresAt: string;
}
