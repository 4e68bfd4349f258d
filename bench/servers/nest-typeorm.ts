/**
 * The other baseline: the NestJS gateway that most people would write. A DTO and `ValidationPipe`, one TypeORM `save`
 * per message, then emit. No order, no repeats noticed, no queue for who is away.
 */
import 'reflect-metadata';
import { Module, UsePipes, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { IsBoolean, IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import type { Socket } from 'socket.io';
import { Column, CreateDateColumn, DataSource, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { SOCKET_PATH } from '../../src/protocol/index.js';

@Entity('messages')
export class StoredMessage {
  @PrimaryGeneratedColumn('uuid')
  id: string;

  @Index()
  @Column('text')
  conversationId: string;

  @Column('text')
  senderId: string;

  @Column('text')
  clientMessageId: string;

  @Column('text')
  content: string;

  @CreateDateColumn({ type: 'timestamptz' })
  createdAt: Date;
}

export class JoinDto {
  @IsString()
  @MaxLength(128)
  conversationId: string;

  @IsOptional()
  @IsIn(['members', 'link'])
  access?: string;
}

export class SendDto {
  @IsString()
  @MaxLength(128)
  conversationId: string;

  @IsString()
  @MaxLength(128)
  clientMessageId: string;

  @IsString()
  @MaxLength(16_000)
  content: string;

  @IsOptional()
  @IsBoolean()
  respond?: boolean;
}

const database = new DataSource({
  type: 'postgres',
  url: process.env['DATABASE_URL'] ?? '',
  entities: [StoredMessage],
  synchronize: true,
});

@WebSocketGateway({ path: SOCKET_PATH })
@UsePipes(new ValidationPipe({ whitelist: true, transform: true }))
export class Gateway {
  private readonly messages = database.getRepository(StoredMessage);

  @SubscribeMessage('conversation:join')
  async join(@ConnectedSocket() socket: Socket, @MessageBody() { conversationId }: JoinDto): Promise<object> {
    await socket.join(conversationId);
    return { ok: true };
  }

  @SubscribeMessage('message:send')
  async send(@ConnectedSocket() socket: Socket, @MessageBody() payload: SendDto): Promise<object> {
    const { conversationId, clientMessageId, content } = payload;
    const message = await this.messages.save({
      ...{ conversationId, clientMessageId, content },
      senderId: socket.id,
    });
    socket.to(conversationId).emit('message:new', message);
    return { ok: true, message };
  }
}

@Module({ providers: [Gateway] })
export class AppModule {}

await database.initialize();
const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.useWebSocketAdapter(new IoAdapter(app));
await app.listen(0, '127.0.0.1');
const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
process.stdout.write(`ready: http://127.0.0.1:${port}\n`);
