// Converts errors to problems (RFC 9457) with Vitrine's codes.
const PROBLEMS = {
  malformed_json: [400, 'The request body is not valid JSON'],
  invalid_query: [400, 'A query parameter is invalid'],
  invalid_cursor: [400, 'The cursor is invalid'],
  unauthenticated: [401, 'Sign in to continue'],
  invalid_token: [401, 'The session is unknown or has ended'],
  not_found: [404, 'Not found'],
  payload_too_large: [413, 'The request body is too large'],
  unsupported_media_type: [415, 'The request body must be application/json'],
  validation_failed: [422, 'Some fields are invalid'],
  internal: [500, 'Something went wrong on our side'],
  overloaded: [503, 'The service is busy'],
};

export class Problem extends Error {
  constructor(code, errors) {
    super(code);
    this.code = code;
    this.errors = errors;
  }
}

const OF_FASTIFY = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
};

const fieldOf = ({ instancePath, params }) => params.missingProperty ?? params.additionalProperty ?? (instancePath.slice(1).replaceAll('/', '.') || '.');

/** Converts an error to a problem. */
export function toProblem(error) {
  if (error instanceof Problem) return error;
  if (error.validation && error.validationContext !== 'body') return new Problem('invalid_query');
  if (error.validation) {
    const errors = error.validation.map((each) => ({ field: fieldOf(each), code: each.keyword, message: each.message }));
    return new Problem('validation_failed', errors);
  }
  if (error instanceof SyntaxError) return new Problem('malformed_json');
  if (OF_FASTIFY[error.code]) return new Problem(OF_FASTIFY[error.code]);
  console.error(error);
  return new Problem('internal');
}

/** The status and body of a problem. */
export function describe({ code, errors }, request) {
  const [status, title] = PROBLEMS[code];
  const [instance] = request.url.split('?', 1);
  return { status, body: { type: `about:blank#${code}`, title, status, code, instance, trace_id: request.id, errors } };
}
