import { ApiProperty } from '@nestjs/swagger';
import { IsUUID } from 'class-validator';

/** Body of `POST /api/auth/ticket`. */
export class TicketRequestDto {
  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  streamId: string;
}
