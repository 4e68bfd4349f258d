import { DomainError } from '../../common/domain-error.js';

/** What an answer consists of. */
interface AnswerContents {
  words: boolean;
  thinking: boolean;
  refusal: boolean;
  toolCalls: boolean;
}

type EndKind = 'natural' | 'length' | 'content_filter' | 'refusal' | 'tool_calls' | 'fault';

/** What servers call the ends of their answers, in lower case with underscores. */
const NAMES: Record<EndKind, string> = {
  natural: 'stop end end_turn stop_sequence eos eos_token complete completed finished done normal',
  length: 'length max_tokens max_output_tokens max_completion_tokens max_length model_length token_limit',
  content_filter:
    'content_filter content_filtered safety image_safety recitation blocklist prohibited_content spii sensitive guardrail_intervened',
  refusal: 'refusal',
  tool_calls: 'tool_calls tool_call tool_use function_call',
  fault:
    'error network_error insufficient_system_resource abort aborted malformed_function_call unexpected_tool_call',
};
const KINDS = new Map(
  Object.entries(NAMES).flatMap(([kind, names]) => names.split(' ').map((name) => [name, kind as EndKind])),
);
const MAX_REASON_CHARS = 64;

/**
 * Returns why an answer ended, for the terminal chunk; undefined for its natural end. `reason` is the server's word for it;
 * one that is not known is returned as it is, in lower case.
 * @throws {DomainError} `provider_error`, not retryable, for an answer that must not pass as complete: one that the server
 * gave up, one that calls tools which nobody offered, and one without any words for the user.
 */
export function answerEnd(reason: string, contents: AnswerContents): string | undefined {
  const name = reason.toLowerCase().replace(/\W/g, '_').slice(0, MAX_REASON_CHARS);
  const kind = contents.refusal ? 'refusal' : (KINDS.get(name) ?? name);
  if (kind === 'fault') throw new DomainError('provider_error', `The provider gave up the answer (${name}).`);
  if (kind === 'tool_calls' || (contents.toolCalls && !contents.words)) {
    throw ended('The model wants to call a tool, and none was offered to it.');
  }
  if (!contents.words) throw ended(withoutWords(kind, contents));
  return kind === 'natural' ? undefined : kind;
}

function withoutWords(kind: string, { thinking }: AnswerContents): string {
  if (kind === 'length') {
    const used = thinking ? 'for its thinking' : 'before its first word';
    return `The model used up its longest answer ${used}. Allow longer answers (LLM_MAX_TOKENS), or less thinking.`;
  }
  if (kind === 'content_filter') return "The provider's content filter withheld the answer.";
  if (kind === 'refusal') return 'The model refused to answer.';
  return thinking
    ? 'The model ended its answer after its thinking, without a word.'
    : 'The model ended its answer without a word.';
}

/** Not retryable: the answer was paid for, and the same prompt is likely to end the same way. */
function ended(message: string): DomainError {
  return new DomainError('provider_error', message, { retryable: false });
}
