import { DomainError } from '../common/domain-error.js';
import { answer } from './guide/answers.js';
import { DocSearch } from './guide/doc-search.js';
import { readProjectDocs, type DocFile } from './guide/documents.js';
import { paced } from './guide/pace.js';
import type { Delta, Provider, ProviderRequest } from './provider.js';

/** How the guide answers, and from what. */
export interface GuideOptions {
  /** 0: as fast as the answer is read. */
  wordsPerSecond: number;
  /** Where the documentation comes from; default: README.md and docs/ of this project. Called once, at the first question. */
  readDocs?: () => Promise<readonly DocFile[]>;
}

/**
 * The embedded default: answers questions about Streamgate from the project's own documentation, word by word.
 * Needs no key, no network and no model. Deterministic, so it continues an answer exactly.
 */
export class GuideProvider implements Provider {
  readonly name = 'guide';
  readonly models = ['guide'] as const;
  readonly canContinue = true;
  private search: Promise<DocSearch> | undefined;

  constructor(private readonly options: GuideOptions) {}

  /** @throws {DomainError} `provider_error` where `continueFrom` is not how this answer begins. */
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
