/** Milliseconds. */
export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

/** Upper bound of times that no timer waits for: only PostgreSQL or tokens use them. */
export const TEN_YEARS = 3650 * DAY;

/** An environment variable: how it is parsed, and its documentation. */
export interface Field<T> {
  /** Text as it would stand in the environment; undefined where the variable has no default. */
  readonly defaultText: string | undefined;
  readonly doc: string;
  readonly parse: (text: string) => T;
}

interface Bounds {
  min?: number;
  max?: number;
}

/** The longest that a timer can wait, nearly 25 days; with more it would not wait at all. */
const MAX_TIMER_MS = 2_147_483_647;

/** Returns a field for a whole number within bounds; by default the bounds of a timer, in milliseconds. */
export function integer(defaultValue: number, doc: string, { min = 0, max = MAX_TIMER_MS }: Bounds = {}) {
  const parse = (text: string): number => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new Error(`must be a whole number from ${min} to ${max}`);
    return value;
  };
  return { defaultText: String(defaultValue), doc, parse } satisfies Field<number>;
}

/** Returns a field for a whole number within bounds, or unset. */
export function optionalInteger(doc: string, bounds: Bounds = {}): Field<number | undefined> {
  return { ...integer(0, doc, bounds), defaultText: undefined };
}

/** Returns a field for `true` or `false`. */
export function flag(defaultValue: boolean, doc: string) {
  return { ...optionalFlag(doc), defaultText: String(defaultValue) } as Field<boolean>;
}

/** Returns a field for `true`, `false` or unset. */
export function optionalFlag(doc: string): Field<boolean | undefined> {
  const parse = (text: string): boolean => {
    if (text !== 'true' && text !== 'false') throw new Error('must be true or false');
    return text === 'true';
  };
  return { defaultText: undefined, doc, parse };
}

/** Returns a field for one of `options`. */
export function choice<const T extends string>(
  options: readonly T[],
  defaultValue: T,
  doc: string,
): Field<T> {
  return { ...optionalChoice(options, doc), defaultText: defaultValue } as Field<T>;
}

/** Returns a field for one of `options`, or unset. */
export function optionalChoice<const T extends string>(
  options: readonly T[],
  doc: string,
): Field<T | undefined> {
  const parse = (text: string): T => {
    const found = options.find((option) => option === text);
    if (found === undefined) throw new Error(`must be one of ${options.join(', ')}`);
    return found;
  };
  return { defaultText: undefined, doc, parse };
}

/** Returns a field for any text. */
export function text(defaultValue: string, doc: string): Field<string> {
  return { defaultText: defaultValue, doc, parse: (value) => value };
}

/** Returns a field for text that passes `check`, or unset. */
export function optionalText(doc: string, check?: (value: string) => void): Field<string | undefined> {
  const parse = (value: string): string => {
    check?.(value);
    return value;
  };
  return { defaultText: undefined, doc, parse };
}

/** Returns a field for a URL with one of `protocols` (such as `https:`) that passes `check`, or unset. */
export function optionalUrl(
  protocols: readonly string[],
  doc: string,
  check?: (url: URL) => void,
): Field<string | undefined> {
  return optionalText(doc, (value) => {
    if (!protocols.some((protocol) => value.trimStart().toLowerCase().startsWith(`${protocol}//`))) {
      throw new Error(`must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`);
    }
    // `URL` ignores spaces around it, but the libraries that get it later do not.
    if (!URL.canParse(value) || value !== value.trim() || !isEncoded(new URL(value))) {
      throw new Error(
        'is not a valid URL: check its port, and encode special characters in its user and password (# is %23, % is %25, / is %2F, ? is %3F, @ is %40)',
      );
    }
    check?.(new URL(value));
  });
}

function isEncoded({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

/** Returns a field for the value of an HTTP header, or unset. */
export function optionalHeaderValue(doc: string): Field<string | undefined> {
  return optionalText(doc, (value) => {
    if (value !== value.trim() || /[^\x20-\x7e\x80-\xff]/.test(value)) {
      throw new Error('must be one line of characters that an HTTP header may have');
    }
  });
}

/** Returns a field for a decimal number within bounds, or unset. */
export function optionalNumber(doc: string, { min, max }: Required<Bounds>): Field<number | undefined> {
  const parse = (text: string): number => {
    const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new Error(`must be a number from ${min} to ${max}`);
    return value;
  };
  return { defaultText: undefined, doc, parse };
}

/** Returns a field for a JSON object whose entries pass `check`; empty by default. */
export function jsonObject<T = unknown>(
  doc: string,
  check: (name: string, value: unknown) => void,
): Field<Readonly<Record<string, T>>> {
  const parse = (text: string): Readonly<Record<string, T>> => {
    const value = parseJson(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Error('must be a JSON object, such as {"name": "value"}');
    }
    for (const [name, entry] of Object.entries(value)) check(name, entry);
    return value as Readonly<Record<string, T>>;
  };
  return { defaultText: '{}', doc, parse };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns a field for words separated by commas that pass `check`; empty by default. */
export function list(doc: string, check?: (word: string) => void): Field<string[]> {
  const parse = (value: string): string[] => {
    const words = value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    for (const word of words) check?.(word);
    return words;
  };
  return { defaultText: '', doc, parse };
}
