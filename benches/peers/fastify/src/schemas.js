// The schemas of bodies, queries and responses: Fastify uses them to validate requests and to serialise responses.
const text = { type: 'string' };
const nullable = { type: ['string', 'null'] };
const time = { type: 'string', format: 'date-time' };
const answer = (properties) => ({ type: 'object', properties });

export const health = answer({ status: text, version: text, uptime: { type: 'integer' } });
export const user = answer({ id: text, email: text, email_confirmed: { type: 'boolean' }, display_name: text, role: text, created_at: time });
export const project = answer({
  id: text,
  name: text,
  slug: text,
  description: text,
  visibility: text,
  owner_id: text,
  role: nullable,
  created_at: time,
  updated_at: time,
  published_at: { ...time, nullable: true },
});
export const page = answer({ items: { type: 'array', items: project }, next_cursor: nullable });

export const listQuery = {
  type: 'object',
  properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 }, cursor: text },
};

// A name is one line, without control characters. A description may also contain tabs and line breaks.
export const newProject = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 80, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$' },
    description: { type: 'string', maxLength: 2000, pattern: '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$' },
    visibility: { enum: ['private', 'public'] },
  },
};
