import { AreTopics } from '../../platform/validation/rules.js';
import { LIMITS } from '../../protocol/index.js';

/** Payload of `topic:subscribe` and `topic:unsubscribe`. */
export class TopicsDto {
  @AreTopics(LIMITS.topics)
  topics: string[];
}
