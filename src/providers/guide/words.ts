import { stemmer } from 'stemmer';

const STOP_WORDS = new Set(
  `a about again all also am an and another any anything app apps are as at be been being but by can change could d did disable do does doing don else enable
  ever everywhere explain for from get gets getting give go goes going got had happen happened happening happens has have handle having he help her here
  him his how i if in instead into is isn it its itself just kind know like ll look m make makes making many may me mean means might
  mine much must my myself need needs needed next no not now of off ok on once one only or other our out own please graceful gracefully possible possibly provide
  provides put re run running runs s set sets setting shall she should show so some somebody somehow someone something start support supported
  supports sure t take takes talk talking tell than that the their them then there these they thing things this those through time to too
  under up us use used uses using ve via want way we well were what when where whether which while who whom whose why will wish
  with within without work works working would yes yet you your`.split(/\s+/),
);

/** Words that ask for the same part of the documentation. */
const SYNONYMS = [
  'postgres postgresql database db pg sql',
  'llm model gpt chatgpt claude gemini anthropic mistral deepseek ai',
  'openai gpt chatgpt',
  'ollama llama llama3',
  'token jwt credential bearer mint',
  'auth authentication authenticate',
  'login sign signin account identity sso oidc keycloak auth0 oauth',
  'reload refresh reopen',
  'kill crash die sigkill outage',
  'stop cancel abort interrupt',
  'share invite let',
  'delete remove erase clear',
  'port address listen',
  'deploy downtime rolling',
  'docker container image',
  'kubernetes k8s helm pod',
  'config configuration configure option environment env variable',
  'proxy nginx caddy traefik apache haproxy',
  'offline disconnect away absent missed',
  'install setup launch begin start',
  'error problem trouble fail failure troubleshoot down unavailable',
  'speed performance fast latency benchmark slow throughput',
  'limit quota maximum max longest cap throttle',
  'size length longest maximum max limit',
  'spam flood abuse limit',
  'backup dump restore',
  'websocket socket.io ws socketio',
  'sse server-sent eventsource',
  'licence license mit copyright opensource free price commercial',
  'frontend browser web',
  'guest anonymous',
  'cluster scale replica horizontal balancer scalable',
  'several multiple',
  'upgrade update downgrade rollback migrate',
  'person people user member participant',
  'conversation chat',
  'list sidebar',
  'history transcript older export',
  'phone mobile ios android flutter swift kotlin',
  'react vue svelte angular nextjs next.js hook component framework',
  'rename title name',
  'attachment file upload image picture photo document pdf',
  'tool function mcp plugin agent',
  'instructions persona prompt temperature',
  'rag embedding vector retrieval knowledge',
  'notification push email webhook',
  'hole gap miss lost lose loss',
  'architecture design internals',
  'health healthy liveness readiness probe',
  'capacity hardware ram cpu memory requirement sizing',
  'https tls ssl certificate',
  'log logging logs',
  'metric prometheus grafana',
  'trace tracing opentelemetry otel',
  'read receipt',
  'revoke ban logout',
  'typing writing',
  'regenerate retry again redo',
  'encrypt encryption e2e',
  'privacy gdpr personal',
  'voice audio video speech',
  'stack language written',
].map((group) => group.split(' '));

/** Phrases that mean another thing than their words, and the words that stand for them. */
const PHRASES: readonly [RegExp, string][] = [
  [/\bopen[ -]sourced?\b/gi, 'opensource'],
  [/\b(log|sign)(s|ged|ging)?[ -](in|on)\b/gi, 'login'],
  [/\b(log|sign)(s|ged|ging)?[ -](\w+ ){0,2}out\b/gi, 'logout'],
  [/\bback(ed|ing)? (it |them |this |that )?up\b/gi, 'backup restore'],
  [/\bload[ -]balanc(er|ers|ing)\b/gi, 'balancer'],
  [/\bsystem[ -](prompt|instruction)s?\b/gi, 'prompt'],
  [/\bfunction[ -]call(s|ing)?\b/gi, 'tool'],
  [/\bside[ -]bar\b/gi, 'sidebar'],
  [/(?<!docker )\b(images?|pictures?)\b/gi, 'image attachment'],
  [/\b(is|goes|went|be) down\b/gi, 'fails'],
  [/\bself[ -]host(ed|ing)?\b/gi, 'install'],
  [/\brefresh(ing)? (my |the |a )?tokens?\b/gi, 'token expires'],
  [/\bshut(ting)?[ -]?down\b/gi, 'stop restart'],
  [/\b(switch|turn)(ed|ing)? (it |them )?(off|on)\b/gi, 'disable'],
  [
    /\binvit(e|es|ed|ing)\b( (another|other|an|a|my|new|more)\b)?( (person|people|users?|friends?|members?|colleagues?))?/gi,
    'let others',
  ],
  [/\b(corporate|company) (proxy|firewall|network)\b|\bfirewalls?\b/gi, 'blocked websocket'],
  [/\bexactly[ -]once\b/gi, 'twice duplicate'],
  [/\bwhat('s| is) new\b/gi, 'changelog'],
  [/\bwhile it(s| is) \w+ing\b/gi, 'answer'],
  [
    /\bhow many (concurrent |simultaneous |parallel )?(users|people|clients|connections)\b(?!.*\b(online|there)\b)/gi,
    'capacity users',
  ],
];

/** Words that the stemmer would take for others. */
const WITHOUT_STEM = new Set(['https', 'ios', 'aws']);

const SYNONYMS_OF = new Map<string, Set<string>>();
for (const group of SYNONYMS.map((words) => words.map((word) => termsOf(word)[0]))) {
  for (const word of group) SYNONYMS_OF.set(word, new Set([...(SYNONYMS_OF.get(word) ?? []), ...group]));
}

/** Splits `text` into words; `DATABASE_URL`, `clientMessageId`, `message:send` and `/api/docs` are one word each. */
export function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+(?:[.:/-]+[\p{L}\p{N}_]+)*/gu) ?? [];
}

/** Returns the terms by which a word is found: its stem; for a compound word itself and the stems of its parts. */
export function termsOf(word: string): [string, ...string[]] {
  const parts = word
    // Only names such as `clientMessageId`: OpenAI, vLLM and PostgreSQL are one word.
    .replace(/(?<=^\p{Ll}{2}.*[\p{Ll}\p{N}])(?=\p{Lu})/gu, ' ')
    .toLowerCase()
    .split(/[\s_.:/-]+/)
    .filter(Boolean);
  const whole = word.toLowerCase();
  return parts.length > 1 ? [whole, ...parts.map(stem)] : [stem(whole)];
}

function stem(word: string): string {
  return WITHOUT_STEM.has(word) ? word : stemmer(word);
}

/** Returns what a question asks about: its words without stop words and small numbers, phrases as the words that stand for them. */
export function contentWords(question: string): string[] {
  const text = PHRASES.reduce((result, [phrase, words]) => result.replace(phrase, words), question);
  return wordsOf(text).filter((word) => !isStopWord(word) && !/^\d{1,2}$/.test(word));
}

export function isStopWord(word: string): boolean {
  return STOP_WORDS.has(word.toLowerCase());
}

/** Returns the terms that mean about the same as `term`, without itself. */
export function synonymsOf(term: string): string[] {
  return [...(SYNONYMS_OF.get(term) ?? [])].filter((other) => other !== term);
}
