// The business rules and SQL statements of projects: read access, the list of a user's projects, and the creation of a project.
import { randomBytes } from 'node:crypto';
import { v7 as uuid, parse, stringify, validate } from 'uuid';
import { getOrLoad } from './cache.js';
import { Problem } from './problems.js';
import { query, statement } from './stores.js';

const SECONDS = 30;
const START = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const SLUG_TRIES = 5;

const COLUMNS = 'p.id, p.name, p.slug, p.description, p.visibility, p.owner_id, p.version, p.created_at, p.updated_at, p.published_at';
const PROJECT = statement('select', 'projects', `SELECT ${COLUMNS} FROM projects p WHERE p.id = $1`);
const MEMBERS = statement('select', 'project_members', 'SELECT user_id, role FROM project_members WHERE project_id = $1');
const OF_MEMBER = statement(
  'select',
  'projects',
  `SELECT ${COLUMNS}, m.role FROM project_members m JOIN projects p ON p.id = m.project_id
   WHERE m.user_id = $1 AND m.project_id < $2 ORDER BY m.project_id DESC LIMIT $3`,
);
// One statement creates both rows or neither. Postgres checks the foreign key at the end of the statement, when the project exists.
const CREATE = statement(
  'insert',
  'projects',
  `WITH p AS (
     INSERT INTO projects (id, owner_id, name, slug, description, visibility) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT ON CONSTRAINT projects_slug_key DO NOTHING RETURNING *
   ), m AS (INSERT INTO project_members (project_id, user_id, role) SELECT id, owner_id, 'owner' FROM p RETURNING role)
   SELECT ${COLUMNS}, m.role FROM p, m`,
);

/** Reads a project; throws `not_found` unless the user may read it. */
export async function read(user, id) {
  if (!validate(id)) throw new Problem('not_found');
  const roster = await getOrLoad('project', id.toLowerCase(), SECONDS, async () => {
    const [project] = await query(PROJECT, [id]);
    return project && { project, members: await query(MEMBERS, [id]) };
  });
  if (!roster) throw new Problem('not_found');
  const role = roster.members.find((member) => member.user_id === user.id)?.role ?? null;
  const { project } = roster;
  if (role === null && project.visibility !== 'public' && user.role !== 'admin') throw new Problem('not_found');
  return { ...project, role };
}

/** Lists a page of the projects that the user is a member of. */
export async function list(user, limit, cursor) {
  // Fetches one row more than the page holds, to know whether there is a next page.
  const rows = await query(OF_MEMBER, [user.id, cursor === undefined ? START : decode(cursor), limit + 1]);
  const items = rows.slice(0, limit);
  const next = rows.length > limit ? Buffer.from(parse(items.at(-1).id)).toString('base64url') : null;
  return { items, next_cursor: next };
}

function decode(cursor) {
  const bytes = Buffer.from(cursor, 'base64url');
  if (bytes.length !== 16 || bytes.toString('base64url') !== cursor) throw new Problem('invalid_cursor');
  try {
    return stringify(bytes);
  } catch {
    throw new Problem('invalid_cursor');
  }
}

/** Creates a project that the user owns. */
export async function create(user, { name, description = '', visibility = 'private' }) {
  const slug = slugOf(name);
  for (let tries = 0; tries < SLUG_TRIES; tries += 1) {
    const ending = tries === 0 ? '' : `-${randomBytes(4).toString('hex')}`;
    const [project] = await query(CREATE, [uuid(), user.id, name.trim(), slug + ending, description, visibility]);
    if (project) return project;
  }
  throw new Problem('overloaded');
}

/** The words of a name, at most 51 characters, so that a suffix fits. */
function slugOf(name) {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  const slug = words.join('-').slice(0, 51).replace(/-$/, '');
  return slug.length < 3 ? `${slug}project` : slug;
}
