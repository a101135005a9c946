// Sign-ins, calls to platforms, and background jobs.

import { BAD, BY_OUTCOME, BY_QUANTILE, low, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { stat, timeSeries } from '../panels.js';
import { orNone, orZero, ours, perHour, perMinute, quantile, rate, ratio, sum } from '../queries.js';
import { instance } from '../variables.js';

const attempts = ours('auth_attempts_total');
const unsuccessful = ours('auth_attempts_total', 'status!="success"');
const oauth = ours('oauth_operations_total');
const oauthFailures = ours('oauth_operations_total', 'status!="success"');
const calls = ours('social_api_calls_total', 'status!="cancelled"');
const failedCalls = ours('social_api_calls_total', 'status!~"success|cancelled"');
const jobs = ours('jobs_total');
const unsuccessfulJobs = ours('jobs_total', 'outcome!="success"');

export const accounts = dashboard('accounts', {
  title: 'Accounts and integrations',
  folder: 'service',
  description: 'Can users sign in, do the platforms respond, and do background jobs finish?',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Sessions',
        description: 'Active sessions, over the whole fleet. Good: follows the number of users.',
        unit: 'short',
        decimals: 0,
        query: 'sum(auth_sessions_active{job="backend"})',
        movedBy: 'traffic',
      }),
      stat({
        title: 'Sign-ins',
        description: 'Successful sign-ins by password or platform per minute. Good: typical for the time of day.',
        unit: 'cpm',
        decimals: 0,
        query: perMinute(sum(rate(ours('auth_attempts_total', 'method!="token", status="success"')))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Refused',
        description:
          'Share of all authentication attempts that failed or were throttled. Good: below 10 %; 50 % of one method raises an alert.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(unsuccessful)), sum(rate(attempts)))),
        limits: low(0.1, 0.5),
        alert: 'HighAuthFailureRate',
        movedBy: 'login-failures',
      }),
      stat({
        title: 'Throttled',
        description:
          'Throttled sign-ins, and registrations refused during the wait for hashing, per second. Good: 0; more than ten failed or throttled attempts per second of one method raise an alert.',
        unit: 'ops',
        query: sum(rate(ours('rate_limited_total', 'limiter=~"login_account|login_address|logins_at_once|password_hashing"'))),
        limits: low(0.1, 10),
        alert: 'PossibleBruteForceAttack',
        movedBy: 'rate-limits',
      }),
      stat({
        title: 'OAuth failed',
        description: 'Share of OAuth steps that failed. Good: below 10 %.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(oauthFailures)), sum(rate(oauth)))),
        limits: low(0.05, 0.1),
        alert: 'OAuthFailures',
        movedBy: 'oauth-failures',
      }),
      stat({
        title: 'Calls failed',
        description: 'Share of calls to platforms that failed. Good: below 10 %.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(failedCalls)), sum(rate(calls)))),
        limits: low(0.05, 0.1),
        alert: 'SocialApiFailing',
        movedBy: 'platform-failures',
      }),
      stat({
        title: 'Jobs waiting',
        description: 'Unfinished background jobs, over the whole fleet. Good: below 100; 1000 raise an alert.',
        unit: 'none',
        query: 'sum(jobs_pending{job="backend"})',
        limits: low(100, 1000),
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
      stat({
        title: 'Longest wait',
        description: 'How long the oldest due job has been waiting. Good: a few seconds; more than ten minutes raises an alert.',
        unit: 's',
        query: 'sum(jobs_oldest_due_seconds{job="backend"})',
        limits: low(60, 600),
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
    ),
    row(
      'Sign-in',
      timeSeries({
        title: 'Authentication attempts',
        description:
          'Authentication attempts per minute by method and outcome. Good: nearly all succeed; many failures are a misconfiguration or an attack.',
        unit: 'opm',
        query: { '{{method}} {{status}}': perMinute(sum(rate(attempts), 'method', 'status')) },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Refused share by method',
        description:
          'Share of authentication attempts that failed or were throttled, by method. Good: below 10 %; 50 % raises an alert (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{method}}': orNone(ratio(sum(rate(unsuccessful), 'method'), sum(rate(attempts), 'method')), 'method') },
        limits: low(0.1, 0.5),
        alert: 'HighAuthFailureRate',
        shades: WARNING,
        movedBy: 'login-failures',
        width: 12,
      }),
      timeSeries({
        title: 'Time to sign in',
        description: 'Duration of password sign-ins. Good: below a second; password hashing is slow on purpose.',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, ours('http_request_duration_seconds', 'route="/api/auth/login"'))),
          p95: orZero(quantile(0.95, ours('http_request_duration_seconds', 'route="/api/auth/login"'))),
          p99: orZero(quantile(0.99, ours('http_request_duration_seconds', 'route="/api/auth/login"'))),
        },
        colours: BY_QUANTILE,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Sessions over time',
        description: 'Active sessions, over the whole fleet. Good: follows the number of users.',
        unit: 'short',
        query: { sessions: 'sum(auth_sessions_active{job="backend"})' },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Refused by limits',
        description: 'Attempts per minute that a limit rejected, by limiter. Good: 0, except for users who mistype.',
        unit: 'opm',
        query: { '{{limiter}}': perMinute(sum(rate(ours('rate_limited_total')), 'limiter')) },
        alert: 'PossibleBruteForceAttack',
        shades: WARNING,
        movedBy: 'rate-limits',
      }),
      timeSeries({
        title: 'Changes of credentials',
        description:
          'Requests for links in mails, and their use, per minute by event and outcome. Good: few failures; many are guesses of links.',
        unit: 'opm',
        query: { '{{event}} {{status}}': perMinute(sum(rate(ours('auth_events_total')), 'event', 'status')) },
        legend: 'right',
        movedBy: 'traffic',
        width: 12,
      }),
      timeSeries({
        title: 'Mails',
        description:
          'Attempts to send a mail per minute by outcome. Good: all are sent; while attempts fail, the mail server is unavailable and mails wait.',
        unit: 'opm',
        query: { '{{outcome}}': perMinute(sum(rate(ours('mails_sent_total')), 'outcome')) },
        colours: { '/sent/': 'green', '/refused/': 'orange', '/failed/': 'red' },
        movedBy: 'traffic',
        width: 12,
      }),
    ),
    row(
      'Platforms',
      timeSeries({
        title: 'OAuth by platform',
        description: 'OAuth steps per minute by platform: signing in, linking, and refreshing and revoking tokens. Good: follows users.',
        unit: 'cpm',
        query: { '{{platform}}': perMinute(sum(rate(oauth), 'platform')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'OAuth by operation',
        description: 'OAuth steps per minute by operation. Good: as many callbacks as starts; missing ones are users who turned back.',
        unit: 'cpm',
        query: { '{{operation}}': perMinute(sum(rate(oauth), 'operation')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'OAuth failures by platform',
        description: "Share of a platform's OAuth steps that failed. Good: below 10 % (dashed).",
        unit: 'percentunit',
        max: 1,
        query: { '{{platform}}': orNone(ratio(sum(rate(oauthFailures), 'platform'), sum(rate(oauth), 'platform')), 'platform') },
        limits: low(0.05, 0.1),
        alert: 'OAuthFailures',
        shades: BAD,
        movedBy: 'oauth-failures',
      }),
      timeSeries({
        title: 'Calls by outcome',
        description:
          'Calls to platforms per minute by outcome. Good: nearly all `success`; `rate_limited` is a 429, `refused` another 4xx or a 3xx.',
        unit: 'cpm',
        query: { '{{status}}': perMinute(sum(rate(ours('social_api_calls_total')), 'status')) },
        colours: BY_OUTCOME,
        stacked: true,
        alert: 'SocialApiFailing',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failed calls by platform',
        description: 'Share of calls to a platform that failed. Good: below 10 % (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{platform}}': orNone(ratio(sum(rate(failedCalls), 'platform'), sum(rate(calls), 'platform')), 'platform') },
        limits: low(0.05, 0.1),
        alert: 'SocialApiFailing',
        shades: BAD,
        movedBy: 'platform-failures',
      }),
      timeSeries({
        title: 'Call duration p95',
        description: '95 % of calls to a platform finish within this time. Good: below a second.',
        unit: 's',
        query: { '{{platform}}': orNone(quantile(0.95, ours('social_api_duration_seconds'), 'platform'), 'platform') },
        movedBy: 'traffic',
      }),
    ),
    row(
      'Jobs',
      timeSeries({
        title: 'Attempts by kind',
        description: 'Attempts at background jobs per minute. Good: follows users.',
        unit: 'opm',
        query: { '{{kind}}': perMinute(sum(rate(jobs), 'kind')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Attempts that did not succeed',
        description: 'Unsuccessful attempts per minute by outcome. Good: few retries, none dead or lost.',
        unit: 'opm',
        query: { '{{outcome}}': perMinute(sum(rate(unsuccessfulJobs), 'outcome')) },
        colours: { '/retry/': 'orange', '/dead/': 'red', '/lost/': 'dark-red' },
        alert: 'JobsFailing',
        movedBy: 'platform-failures',
      }),
      timeSeries({
        title: 'Failed share by kind',
        description: 'Share of attempts that did not succeed, by kind. Good: below 10 % (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{kind}}': orNone(ratio(sum(rate(unsuccessfulJobs), 'kind'), sum(rate(jobs), 'kind')), 'kind') },
        limits: low(0.05, 0.1),
        alert: 'JobsFailing',
        shades: BAD,
        movedBy: 'platform-failures',
      }),
      timeSeries({
        title: 'Waiting by kind',
        description: 'Unfinished jobs, over the whole fleet. Good: no lasting growth.',
        unit: 'none',
        query: { '{{kind}}': 'sum by (kind) (jobs_pending{job="backend"})' },
        stacked: true,
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
      timeSeries({
        title: 'Longest wait over time',
        description: 'How long the oldest due job has been waiting. Good: a few seconds; more than ten minutes raises an alert (dashed).',
        unit: 's',
        query: { longest: 'sum(jobs_oldest_due_seconds{job="backend"})' },
        limits: low(60, 600),
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
      timeSeries({
        title: 'Attempt duration p95',
        description: '95 % of attempts finish within this time, by kind. Good: a few seconds.',
        unit: 's',
        query: { '{{kind}}': orNone(quantile(0.95, ours('job_duration_seconds'), 'kind'), 'kind') },
        movedBy: 'slow-driver',
      }),
    ),
    row(
      'Created content',
      timeSeries({
        title: 'New accounts and projects',
        description: 'Accounts and projects created and projects published per hour, at the current rate. Good: above zero during the day.',
        unit: 'short',
        decimals: 0,
        query: {
          accounts: perHour(sum(rate(ours('users_registered_total')))),
          projects: perHour(sum(rate(ours('projects_created_total')))),
          published: perHour(sum(rate(ours('projects_published_total')))),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Posts',
        description:
          'Posts created, and deliveries that succeeded or were given up, per hour at the current rate. Good: at least one delivery per post, none given up.',
        unit: 'short',
        decimals: 0,
        query: {
          posts: perHour(sum(rate(ours('posts_created_total')))),
          delivered: perHour(sum(rate(ours('jobs_total', 'kind="post_delivery", outcome="success"')))),
          'given up': perHour(sum(rate(ours('jobs_total', 'kind="post_delivery", outcome="dead"')))),
        },
        colours: { '/delivered/': 'green', '/posts/': 'blue', '/given up/': 'red' },
        movedBy: 'traffic',
      }),
    ),
  ],
});
