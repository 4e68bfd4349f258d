/** Length of every token of the benchmark's provider, in characters; none of them needs escaping in JSON. */
export const TOKEN_CHARS = 10;
