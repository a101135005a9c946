// Who comes in and how, what platforms answer, and what is done in the background for users.

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
  description: 'Can people come in, do the platforms answer, and is what was promised to users done in the background?',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Sessions',
        description: 'Sessions that have not ended, over the whole fleet. Good: follows the number of users.',
        unit: 'short',
        decimals: 0,
        query: 'sum(auth_sessions_active{job="backend"})',
        movedBy: 'traffic',
      }),
      stat({
        title: 'Sign-ins',
        description: 'Passwords and platforms that let somebody in, in a minute. Good: what this hour usually has.',
        unit: 'cpm',
        decimals: 0,
        query: perMinute(sum(rate(ours('auth_attempts_total', 'method!="token", status="success"')))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Refused',
        description: 'Share of all proofs of identity that failed or were throttled. Good: below 10 %; 50 % of a method is an alert.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(unsuccessful)), sum(rate(attempts)))),
        limits: low(0.1, 0.5),
        alert: 'HighAuthFailureRate',
        movedBy: 'login-failures',
      }),
      stat({
        title: 'Throttled',
        description: 'Attempts to sign in that came too often, in a second. Good: 0; ten failures in a second look like guessing.',
        unit: 'ops',
        query: sum(rate(ours('rate_limited_total', 'limiter=~"login_account|login_address|logins_at_once|password_hashing"'))),
        limits: low(0.1, 10),
        alert: 'PossibleBruteForceAttack',
        movedBy: 'rate-limits',
      }),
      stat({
        title: 'OAuth failed',
        description: 'Share of the steps of signing in by a platform that failed. Good: below 10 %.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(oauthFailures)), sum(rate(oauth)))),
        limits: low(0.05, 0.1),
        alert: 'OAuthFailures',
        movedBy: 'oauth-failures',
      }),
      stat({
        title: 'Calls failed',
        description: 'Share of the calls of platforms that failed. Good: below 10 %.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(failedCalls)), sum(rate(calls)))),
        limits: low(0.05, 0.1),
        alert: 'SocialApiFailing',
        movedBy: 'platform-failures',
      }),
      stat({
        title: 'Jobs waiting',
        description: 'Background jobs that have not ended, over the whole fleet. Good: below 100; 1000 is an alert.',
        unit: 'none',
        query: 'sum(jobs_pending{job="backend"})',
        limits: low(100, 1000),
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
      stat({
        title: 'Longest wait',
        description: 'How long the longest-waiting job has been due. Good: a few seconds; after ten minutes it is an alert.',
        unit: 's',
        query: 'sum(jobs_oldest_due_seconds{job="backend"})',
        limits: low(60, 600),
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
    ),
    row(
      'Coming in',
      timeSeries({
        title: 'Proofs of identity',
        description: 'Attempts in a minute by method and outcome. Good: nearly all succeed; many failures are a mistake or an attack.',
        unit: 'opm',
        query: { '{{method}} {{status}}': perMinute(sum(rate(attempts), 'method', 'status')) },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Refused share by method',
        description: 'Share of the attempts by a method that failed or were throttled. Good: below 10 %; 50 % is an alert (dashed).',
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
        description: 'Time of a sign-in with a password. Good: below a second; a password is hashed slowly on purpose.',
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
        description: 'Sessions that have not ended, over the whole fleet. Good: follows the number of users.',
        unit: 'short',
        query: { sessions: 'sum(auth_sessions_active{job="backend"})' },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Refused by limits',
        description: 'Attempts in a minute that came too often, by the limit. Good: 0 but for people who mistype.',
        unit: 'opm',
        query: { '{{limiter}}': perMinute(sum(rate(ours('rate_limited_total')), 'limiter')) },
        alert: 'PossibleBruteForceAttack',
        shades: WARNING,
        movedBy: 'rate-limits',
      }),
    ),
    row(
      'Platforms',
      timeSeries({
        title: 'OAuth by platform',
        description: 'Steps of signing in by a platform, and of what follows from it, in a minute. Good: follows users.',
        unit: 'cpm',
        query: { '{{platform}}': perMinute(sum(rate(oauth), 'platform')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'OAuth by operation',
        description: 'Steps in a minute by operation. Good: as many callbacks as starts; fewer are people who turned back.',
        unit: 'cpm',
        query: { '{{operation}}': perMinute(sum(rate(oauth), 'operation')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'OAuth that failed',
        description: "Share of a platform's steps that failed. Good: below 10 % (dashed).",
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
          'Calls of platforms in a minute, by how they ended. Good: success; `rate_limited` waits, `refused` wants a new consent.',
        unit: 'cpm',
        query: { '{{status}}': perMinute(sum(rate(ours('social_api_calls_total')), 'status')) },
        colours: BY_OUTCOME,
        stacked: true,
        alert: 'SocialApiFailing',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failed calls by platform',
        description: "Share of a platform's calls that failed. Good: below 10 % (dashed).",
        unit: 'percentunit',
        max: 1,
        query: { '{{platform}}': orNone(ratio(sum(rate(failedCalls), 'platform'), sum(rate(calls), 'platform')), 'platform') },
        limits: low(0.05, 0.1),
        alert: 'SocialApiFailing',
        shades: BAD,
        movedBy: 'platform-failures',
      }),
      timeSeries({
        title: 'Time of calls p95',
        description: 'Of 20 calls of a platform, 19 take no longer. Good: below a second.',
        unit: 's',
        query: { '{{platform}}': orNone(quantile(0.95, ours('social_api_duration_seconds'), 'platform'), 'platform') },
        movedBy: 'traffic',
      }),
    ),
    row(
      'Jobs',
      timeSeries({
        title: 'Attempts by kind',
        description: 'Attempts at background jobs in a minute. Good: follows users.',
        unit: 'opm',
        query: { '{{kind}}': perMinute(sum(rate(jobs), 'kind')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Attempts that did not succeed',
        description: 'Attempts in a minute by what came of them. Good: few retries, none dead or lost.',
        unit: 'opm',
        query: { '{{outcome}}': perMinute(sum(rate(unsuccessfulJobs), 'outcome')) },
        colours: { '/retry/': 'orange', '/dead/': 'red', '/lost/': 'dark-red' },
        alert: 'JobsFailing',
        movedBy: 'platform-failures',
      }),
      timeSeries({
        title: 'Failed share by kind',
        description: 'Share of the attempts of a kind that did not succeed. Good: below 10 % (dashed).',
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
        description: 'Jobs that have not ended, over the whole fleet. Good: they come and go.',
        unit: 'none',
        query: { '{{kind}}': 'sum by (kind) (jobs_pending{job="backend"})' },
        stacked: true,
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
      timeSeries({
        title: 'Longest wait over time',
        description: 'How long the longest-waiting job has been due. Good: a few seconds; after ten minutes it is an alert (dashed).',
        unit: 's',
        query: { longest: 'sum(jobs_oldest_due_seconds{job="backend"})' },
        limits: low(60, 600),
        alert: 'JobsBacklog',
        movedBy: 'jobs-backlog',
      }),
      timeSeries({
        title: 'Time of attempts p95',
        description: 'Of 20 attempts of a kind, 19 take no longer. Good: a few seconds.',
        unit: 's',
        query: { '{{kind}}': orNone(quantile(0.95, ours('job_duration_seconds'), 'kind'), 'kind') },
        movedBy: 'slow-driver',
      }),
    ),
    row(
      'What users make',
      timeSeries({
        title: 'New accounts and projects',
        description:
          'Accounts and projects made, and projects put on show, in an hour at the present pace. Good: above zero while people are awake.',
        unit: 'short',
        decimals: 0,
        query: {
          accounts: perHour(sum(rate(ours('users_registered_total')))),
          projects: perHour(sum(rate(ours('projects_created_total')))),
          'on show': perHour(sum(rate(ours('projects_published_total')))),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Posts',
        description:
          'Posts made, and deliveries of them that succeeded or were given up, in an hour at the present pace. Good: at least one delivery for each post, none given up.',
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
