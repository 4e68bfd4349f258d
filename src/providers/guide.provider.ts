import { sleep } from '../common/deadline.js';
import { DomainError } from '../common/domain-error.js';
import { answer } from './guide/answers.js';
import { DocSearch } from './guide/doc-search.js';
import { readProjectDocs, type DocFile } from './guide/documents.js';
import type { Delta, Provider, ProviderRequest } from './provider.js';

/** The guide's pace and its source. */
export interface GuideOptions {
  /** 0: no pace, as fast as the answer is read. */
  wordsPerSecond: number;
  /** Loads the documentation, once, at the first question; default: README.md and docs/ of this project. */
  readDocs?: () => Promise<readonly DocFile[]>;
}

/**
 * The embedded default provider: answers questions about Streamgate from the project's own documentation, word by word.
 * Needs no key, no network and no model. Deterministic, so it can continue an answer exactly.
 */
export class GuideProvider implements Provider {
  readonly name = 'guide';
  readonly models = ['guide'] as const;
  readonly canContinue = true;
  private search: Promise<DocSearch> | undefined;

  constructor(private readonly options: GuideOptions) {}

  /** @throws {DomainError} `provider_error` where this answer does not begin with `continueFrom`. */
  async *stream({ messages, continueFrom = '', signal }: ProviderRequest): AsyncGenerator<Delta, void> {
    const text = answer(await this.loaded(), messages);
    if (!text.startsWith(continueFrom)) {
      throw new DomainError(
        'provider_error',
        'The documentation has changed since this answer began, so it cannot be continued. Ask again.',
      );
    }
    const rest = text.slice(continueFrom.length);
    for await (const word of paced(rest, this.options.wordsPerSecond, signal))
      yield { type: 'content', text: word };
    yield { type: 'finish', usage: null };
  }

  private async loaded(): Promise<DocSearch> {
    this.search ??= this.load();
    return this.search;
  }

  private async load(): Promise<DocSearch> {
    try {
      const readDocs = this.options.readDocs ?? readProjectDocs;
      return await DocSearch.over(await readDocs());
    } catch (cause) {
      // A later question tries again.
      this.search = undefined;
      throw new DomainError('provider_error', "Streamgate's documentation could not be read.", { cause });
    }
  }
}

/**
 * Yields the words of `text`, each with the white space after it, `perSecond` of them a second (0: no pace). After a
 * pause of the reader it catches up 100 ms at most. Throws an `AbortError` as soon as `signal` fires.
 */
async function* paced(text: string, perSecond: number, signal: AbortSignal): AsyncGenerator<string> {
  let due = performance.now();
  for (const [word] of text.matchAll(/\s*\S+\s*|\s+/gu)) {
    const wait = due - performance.now();
    // Timers have a grain of 1 ms: at a quick pace several words share one.
    if (perSecond > 0 && wait >= 1) await sleep(wait, signal).catch(() => {});
    // The port promises a plain AbortError, whatever the reason of the signal.
    if (signal.aborted) throw aborted();
    yield word;
    due = Math.max(due, performance.now() - 100) + (perSecond > 0 ? 1000 / perSecond : 0);
  }
  if (signal.aborted) throw aborted();
}

function aborted(): DOMException {
  return new DOMException('The answer is no longer wanted.', 'AbortError');
}
