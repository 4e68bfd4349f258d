/** JSON of values that several answers hold; null while nobody has asked for it. */
const texts = new WeakMap<object, string | null>();

/** Says that several answers hold this very `value`, and that nobody changes it any more: its JSON is made once. */
export function shareJson<T extends object>(value: T): T {
  texts.set(value, null);
  return value;
}

/** As `JSON.stringify(answer)`; what the answer's fields share with other answers is not made again. */
export function answerToJson(answer: object): string {
  const fields = Object.entries(answer) as [string, unknown][];
  if (!fields.some(([, value]) => isShared(value))) return JSON.stringify(answer);
  const parts = fields
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${JSON.stringify(name)}:${isShared(value) ? sharedText(value) : JSON.stringify(value)}`,
    );
  return `{${parts.join(',')}}`;
}

function isShared(value: unknown): value is object {
  return typeof value === 'object' && value !== null && texts.has(value);
}

function sharedText(value: object): string {
  const text = texts.get(value) ?? JSON.stringify(value);
  texts.set(value, text);
  return text;
}
