import { callApi } from './http.js';

/**
 * Lets in whoever knows the link (`link`), or nobody new (`members`). The conversation hears of it by
 * `conversation:changed`. @throws {Failure}
 */
export async function setAccess({ id, identity }, access) {
  const token = await identity.token();
  await callApi('PATCH', `/conversations/${encodeURIComponent(id)}`, { body: { access }, token });
}
