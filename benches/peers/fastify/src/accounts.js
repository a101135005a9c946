// Authentication: finds the user of a session token.
import { createHash } from 'node:crypto';
import { getOrLoad } from './cache.js';
import { accounts as measured } from './metrics.js';
import { Problem } from './problems.js';
import { query, statement } from './stores.js';

const SECONDS = 60;

const TOUCH = statement(
  'update',
  'auth_sessions',
  `UPDATE auth_sessions s SET last_seen_at = now() FROM users u
   WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_seen_at > now() - interval '7 days' AND u.id = s.user_id
   RETURNING s.expires_at, u.id, u.email::text, u.confirmed_at IS NOT NULL AS email_confirmed, u.display_name, u.role, u.created_at`,
);

/** The user of a token; throws a problem for a missing or invalid token. */
export async function userOf(token) {
  if (!token) throw new Problem('unauthenticated');
  const hash = createHash('sha256').update(token).digest();
  const session = await getOrLoad('session', hash.toString('base64url'), SECONDS, async () => {
    const [row] = await query(TOUCH, [hash]);
    if (!row) return undefined;
    const { expires_at, ...user } = row;
    return { expires_at, user };
  });
  const valid = session !== undefined && Date.parse(session.expires_at) > Date.now();
  measured.attempts.inc({ method: 'token', status: valid ? 'success' : 'failure' });
  if (!valid) throw new Problem('invalid_token');
  return session.user;
}

/** The bearer token of an `Authorization` header. */
export const bearer = (header) => (header?.startsWith('Bearer ') ? header.slice(7) : undefined);
