// The routes, and the hooks around each request: identifier, measurement, session, problems.
import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import { bearer, userOf } from './accounts.js';
import { config } from './config.js';
import { http, registry } from './metrics.js';
import { Problem, describe, toProblem } from './problems.js';
import * as projects from './projects.js';
import * as schemas from './schemas.js';

const BODY_LIMIT = 1_048_576;

export function build() {
  const app = Fastify({
    logger: { level: 'warn' },
    bodyLimit: BODY_LIMIT,
    genReqId: () => randomUUID(),
    // No coercion: body fields must have the right type. The hook `number` below converts the query parameter `limit`.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true } },
  });
  // By default Fastify also accepts `text/plain` bodies; this service accepts only JSON.
  app.removeContentTypeParser('text/plain');
  measure(app);
  app.decorateRequest('user', null);
  app.setErrorHandler((error, request, reply) => refuse(request, reply, toProblem(error)));
  app.setNotFoundHandler((request, reply) => refuse(request, reply, new Problem('not_found')));
  routes(app);
  return app;
}

const routeOf = (request) => request.routeOptions.config?.template ?? 'other';

function measure(app) {
  app.addHook('onRequest', (request, reply, done) => {
    http.inFlight.inc();
    reply.header('x-request-id', request.id);
    let ended = false;
    reply.raw.once('finish', () => {
      ended = true;
    });
    reply.raw.once('close', () => observe(request, reply, ended));
    done();
  });
  app.server.on('connection', (socket) => {
    http.connections.inc();
    socket.once('close', () => http.connections.dec());
  });
}

function observe(request, reply, ended) {
  const [method, route] = [request.method, routeOf(request)];
  http.inFlight.dec();
  http.requests.inc({ method, route, status: ended ? reply.statusCode : 499 });
  if (!ended) http.cancelled.inc({ route });
  if (route === 'other') return;
  http.duration.observe({ method, route }, reply.elapsedTime / 1000);
  http.responseSize.observe({ method, route }, Number(reply.getHeader('content-length') ?? 0));
  if (method === 'POST') http.requestSize.observe({ method, route }, Number(request.headers['content-length'] ?? 0));
}

function refuse(request, reply, problem) {
  const { status, body } = describe(problem, request);
  http.errors.inc({ type: body.code, route: routeOf(request), status });
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(status).header('content-type', 'application/problem+json').send(JSON.stringify(body));
}

const etag = (project) => `"${project.version}"`;

function routes(app) {
  const route = (method, template, options, handler) =>
    app.route({ method, url: template.replace('{id}', ':id'), config: { template }, ...options, handler });
  const guarded = {
    onRequest: async (request) => {
      request.user = await userOf(bearer(request.headers.authorization));
    },
  };
  const number = async ({ query }) => {
    if (/^\d{1,3}$/.test(query.limit)) query.limit = Number(query.limit);
  };

  route('GET', '/health', { schema: { response: { 200: schemas.health } } }, async () => ({
    status: 'ok',
    version: config.version,
    uptime: Math.floor(process.uptime()),
  }));

  route('GET', '/api/auth/me', { ...guarded, schema: { response: { 200: schemas.user } } }, async ({ user }) => user);

  route('GET', '/api/projects/{id}', { ...guarded, schema: { response: { 200: schemas.project } } }, async ({ user, params }, reply) => {
    const project = await projects.read(user, params.id);
    reply.header('etag', etag(project));
    return project;
  });

  const listed = { ...guarded, preValidation: number, schema: { querystring: schemas.listQuery, response: { 200: schemas.page } } };
  route('GET', '/api/projects', listed, ({ user, query }) => projects.list(user, query.limit, query.cursor));

  const created = { ...guarded, schema: { body: schemas.newProject, response: { 201: schemas.project } } };
  route('POST', '/api/projects', created, async ({ user, body }, reply) => {
    const project = await projects.create(user, body);
    reply.code(201).header('location', `/api/projects/${project.id}`).header('etag', etag(project));
    return project;
  });

  route('GET', '/metrics', {}, async (_request, reply) => {
    reply.header('content-type', registry.contentType);
    return registry.metrics();
  });
}
