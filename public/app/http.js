import { Failure, unreachable } from './failure.js';

/**
 * One JSON request to the API.
 * @returns the answer's body. @throws {Failure}
 */
export async function callApi(method, path, { body, token } = {}) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(`/api${path}`, {
    method,
    headers,
    ...(method !== 'GET' && { body: JSON.stringify(body ?? {}) }),
    signal: AbortSignal.timeout(10_000),
  }).catch(() => {
    throw unreachable();
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw asFailure(response, answer);
  return answer;
}

function asFailure(response, problem) {
  // A proxy in front may answer with a page of its own while the server is away.
  if (!problem?.code)
    return response.status >= 500 ? unreachable() : new Failure({ message: response.statusText });
  return new Failure({ ...problem, message: problem.detail });
}
