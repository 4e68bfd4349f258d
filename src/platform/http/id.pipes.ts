import { Injectable, type PipeTransform } from '@nestjs/common';
import { validate } from 'uuid';
import { ASSISTANT_ID, isConversationId, isTopic, isUserId } from '../../protocol/index.js';
import { invalid } from '../validation/payload.js';

/** A conversation's id in a path. @throws {DomainError} `invalid_payload`. */
@Injectable()
export class ConversationIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (isConversationId(value)) return value;
    throw invalid(['the conversation id must be 1 to 128 characters of A-Z a-z 0-9 . _ : -']);
  }
}

/** A connection's id in a path. @throws {DomainError} `invalid_payload`. */
@Injectable()
export class ConnectionIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (/^[\w-]{1,128}$/.test(value)) return value;
    throw invalid(['the connection id must be 1 to 128 characters of A-Z a-z 0-9 _ -']);
  }
}

/** A stream's id in a path. @throws {DomainError} `invalid_payload`. */
@Injectable()
export class StreamIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (validate(value)) return value;
    throw invalid(['the stream id must be a UUID']);
  }
}

/** A user's id in a path, percent-decoded. @throws {DomainError} `invalid_payload`. */
@Injectable()
export class UserIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (isUserId(value)) return value;
    throw invalid(['the user id must be 1 to 256 characters without control characters']);
  }
}

/**
 * The id of a user who becomes a member: not the assistant's.
 * @throws {DomainError} `invalid_payload`.
 */
@Injectable()
export class NewMemberIdPipe extends UserIdPipe {
  override transform(value: string): string {
    if (value !== ASSISTANT_ID) return super.transform(value);
    throw invalid([`the user id ${ASSISTANT_ID} is reserved`]);
  }
}

/** A topic's name in a path. @throws {DomainError} `invalid_payload`. */
@Injectable()
export class TopicPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (isTopic(value)) return value;
    throw invalid(['the topic must be 1 to 128 characters of A-Z a-z 0-9 . _ : -']);
  }
}
