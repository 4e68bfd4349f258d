/** Whether `value` is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the JSON value of a text; undefined where it is none. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Returns the first element of an array, or the value itself: Gemini sends an array with one error. */
export function first(value: unknown): unknown {
  return Array.isArray(value) ? (value[0] as unknown) : value;
}
