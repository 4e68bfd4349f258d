const STOP_WORDS = new Set(
  `a about again all also am an and another any anything are as at be been being but by can could did do does doing
  don else ever explain for from get gets getting give go goes got had happen happened happens has have having he help her here
  him his how i if in into is isn it its just know like look make makes many may me mean means might mine
  much must my need needs no not now of off ok on one only or our please possible possibly s set shall she
  should show so some somebody somehow someone something support supports supported sure t take takes tell than that the their them then there these they thing
  things this those through time to too up us use used uses using want was way we well were what when where
  whether which who whom why will wish with work works working would yes yet you your`.split(/\s+/),
);

/** Words that ask for the same part of the documentation. */
const SYNONYMS = [
  'postgres postgresql database db pg sql',
  'llm model openai ollama vllm gpt chatgpt claude gemini anthropic mistral llama deepseek provider ai',
  'token jwt authentication auth login signin credential',
  'reload refresh reopen',
  'kill crash die restart sigkill outage failure',
  'stop cancel abort interrupt',
  'share invite let',
  'delete remove erase',
  'port address listen host',
  'docker container kubernetes compose image',
  'config configuration configure setting option environment env variable',
  'proxy nginx caddy traefik',
  'offline disconnect away absent',
  'start install run setup launch begin deploy',
  'error problem troubleshoot trouble fail',
  'speed performance fast latency benchmark slow',
  'limit quota maximum max long longest length size large big',
  'backup dump restore',
  'websocket socket.io ws socketio',
  'license licence mit copyright source opensource',
  'client frontend app browser',
  'guest anonymous',
  'node cluster replica scale instance',
  'several multiple',
  'upgrade update migrate migration',
  'person people user member participant others',
  'conversation chat room',
  'device phone mobile',
  'title rename name',
  'answer response reply',
  'hole gap miss lost lose loss',
  'architecture design structure',
  'health liveness readiness probe ready check',
].map((group) => group.split(' '));

/** Two words that are one. */
const PHRASES: readonly [RegExp, string][] = [
  [/\bopen[ -]source\b/gi, 'opensource'],
  [/\b(log|sign)(ged)?[ -](in|on)\b/gi, 'login'],
  [/\bback(ed|ing)? (it |them |this |that )?up\b/gi, 'backup'],
];

const SYNONYMS_OF = new Map<string, string[]>();
for (const group of SYNONYMS.map((words) => words.map(stem))) {
  for (const word of group) SYNONYMS_OF.set(word, [...(SYNONYMS_OF.get(word) ?? []), ...group]);
}

/** A word as it was written, by its parts. `whole` is lower case; `parts` are stems. */
export interface Word {
  whole: string;
  /** One part, the stem of the whole, where the word is not composed. */
  parts: [string, ...string[]];
}

/** The words of `text`; `DATABASE_URL`, `clientMessageId`, `message:send` and `/api/docs` are each one word of several parts. */
export function words(text: string): Word[] {
  const found = text.matchAll(/[\p{L}\p{N}_]+(?:[.:/-]+[\p{L}\p{N}_]+)*/gu);
  return Array.from(found, ([written]) => {
    const parts = written
      .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
      .split(/[\s_.:/-]+/)
      .filter(Boolean)
      .map((part) => stem(part.toLowerCase()));
    const whole = written.toLowerCase();
    const [first = stem(whole), ...rest] = parts;
    return { whole, parts: [first, ...rest] };
  });
}

/** `question` with its common phrases each as one word. */
export function joinPhrases(question: string): string {
  return PHRASES.reduce((text, [phrase, word]) => text.replace(phrase, word), question);
}

/** What a text is found by: its stems, and composed words also as a whole. */
export function indexTerms(text: string): string[] {
  return words(text).flatMap(({ whole, parts }) => (parts.length > 1 ? [whole, ...parts] : parts));
}

/** Whether a word says nothing about what a question is about. */
export function isStopWord(word: string): boolean {
  return STOP_WORDS.has(word);
}

/** Stems that mean about the same as `term`, itself not among them. */
export function synonymsOf(term: string): string[] {
  return [...new Set(SYNONYMS_OF.get(term))].filter((other) => other !== term);
}

/** A word without its commonest English endings, the same for `reload`, `reloads`, `reloaded` and `reloading`. */
export function stem(word: string): string {
  if (word.length <= 3 || /[^a-z]/.test(word)) return word;
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`;
  let base = word;
  if (/[^su]s$/.test(base)) base = base.slice(0, -1);
  if (base.length > 5 && base.endsWith('ing')) base = undouble(base.slice(0, -3));
  else if (base.length > 4 && base.endsWith('ed')) base = undouble(base.slice(0, -2));
  return base.length > 4 && base.endsWith('e') ? base.slice(0, -1) : base;
}

function undouble(base: string): string {
  return /([^aeiouls])\1$/.test(base) ? base.slice(0, -1) : base;
}
