import { cleanText } from '../../protocol/index.js';

const MAX_SHOWN_CHARS = 200;
const MAX_LOGGED_CHARS = 300;
/** Letters and digits in a row that a provider's words may share with the prompt, where they are logged. */
const MAX_SHARED = 11;
/** A shorter message is too common a word to look for. */
const MIN_SOUGHT = 4;
const KEYS = /\bBearer\s+\S+|\b(?:sk|pk|key|token)-[\w*.-]{4,}/gi;

/** Removes from a provider's words what must not be seen: keys by anybody, the prompt by the readers of the log (P11). */
export class Redactor {
  /**
   * @param secrets such as the API key
   * @param prompt the texts that were sent
   */
  constructor(
    private readonly secrets: readonly string[],
    private readonly prompt: readonly string[],
  ) {}

  /** Returns one short line without keys, for the users who may read the prompt. */
  forUsers(text: string): string {
    return shorten(this.withoutKeys(text), MAX_SHOWN_CHARS);
  }

  /** Returns one short line without keys and without the words of the prompt. */
  forLog(text: string): string {
    return shorten(this.withoutPrompt(this.withoutKeys(text)), MAX_LOGGED_CHARS);
  }

  private withoutKeys(text: string): string {
    const known = this.secrets.reduce((rest, secret) => rest.replaceAll(secret, '[key]'), text);
    return cleanText(known).replace(KEYS, '[key]').replace(/\s+/g, ' ').trim();
  }

  /** Compares letters and digits only: a provider may have changed spaces, cases and quotes. */
  private withoutPrompt(text: string): string {
    const said = text.slice(0, 4 * MAX_LOGGED_CHARS);
    const hidden = new Set<number>();
    const letters = lettersOf(said);
    for (const sought of this.prompt.map((part) => joined(lettersOf(part)))) {
      const size = Math.min(MAX_SHARED + 1, sought.length);
      if (size < MIN_SOUGHT) continue;
      for (let at = 0; at + size <= letters.length; at += 1) {
        const run = letters.slice(at, at + size);
        if (!sought.includes(joined(run))) continue;
        for (let place = run[0]?.at ?? 0; place <= (run.at(-1)?.at ?? 0); place += 1) hidden.add(place);
      }
    }
    return [...said.split('').entries()]
      .map(([at, unit]) => (hidden.has(at) ? (hidden.has(at - 1) ? '' : '[prompt]') : unit))
      .join('');
  }
}

interface Letter {
  at: number;
  unit: string;
}

function lettersOf(text: string): Letter[] {
  return [...text.matchAll(/[\p{L}\p{N}]/gu)].map(({ index: at, 0: unit }) => ({
    at,
    unit: unit.toLowerCase(),
  }));
}

function joined(letters: readonly Letter[]): string {
  return letters.map(({ unit }) => unit).join('');
}

function shorten(line: string, maxChars: number): string {
  const characters = Array.from(line);
  return characters.length > maxChars ? `${characters.slice(0, maxChars).join('')} …` : line;
}
