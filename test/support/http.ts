import { tokenFor } from './client.js';

interface HttpCall {
  /** Whose token is sent. */
  userId: string;
  body?: object;
  roles?: string[];
}

/** Calls a route of the service as a user. */
export async function http(
  url: string,
  route: `${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} ${string}`,
  { userId, body, roles }: HttpCall,
): Promise<Response> {
  const [method = '', path = ''] = route.split(' ');
  const token = await tokenFor(userId, roles ? { roles } : {});
  return fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
}
